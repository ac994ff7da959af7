#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes tests/corpus/torch: PyTorch files (.pt) and pickles alone (.pkl), with expectations.tsv beside them (file, error code,
part of the error's text). The fuzzer begins with them too. Needs no PyTorch: the pickles are put together by hand."""
import io
import os
import shutil
import struct
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "torch")
MALFORMED, UNSUPPORTED, LIMIT = "malformed file", "unsupported feature", "limit exceeded"


def text(value):
    value = value.encode() if isinstance(value, str) else value
    return b"X" + struct.pack("<I", len(value)) + value


def whole(value):
    if 0 <= value < 256:
        return b"K" + bytes([value])
    if -2**31 <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x08" + struct.pack("<q", value)


def named(module, name):
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def sequence(*items):
    return b"(" + b"".join(items) + b"t"


ORDERED = named("collections", "OrderedDict") + b")R"


def storage(kind="FloatStorage", key="0", elements=6, first="storage", last=b""):
    return sequence(text(first), named("torch", kind), text(key), text("cpu"), whole(elements), last) + b"Q"


def tensor(store=None, offset=0, shape=(2, 3), strides=(3, 1), hooks=ORDERED):
    return named("torch._utils", "_rebuild_tensor_v2") + sequence(
        storage() if store is None else store, whole(offset), sequence(*map(whole, shape)), sequence(*map(whole, strides)), b"\x89", hooks) + b"R"


def pickled(body, protocol=2):
    return b"\x80" + bytes([protocol]) + body + b"."


def state(*entries):
    return pickled(b"}(" + b"".join(text(name) + value for name, value in entries) + b"u")


def zipped(members, method=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, compress_type=method)
    return stream.getvalue()


def write_zip(path, members, method=zipfile.ZIP_STORED):
    with open(path, "wb") as out:
        out.write(zipped(members, method))


FLOATS = struct.pack("<6f", *range(6))


def members(pickle=None, prefix="archive/", data=FLOATS, more=(), drop=()):
    found = [("data.pkl", state(("a", tensor())) if pickle is None else pickle), ("byteorder", b"little"), ("data/0", data), ("version", b"3\n"), *more]
    return [(prefix + name, content) for name, content in found if name not in drop]


def pickles():
    """(name, bytes, code, part of the error)."""
    yield "good", state(("a", tensor()), ("k", whole(5)), ("f", b"G" + struct.pack(">d", 1.5)), ("n", b"N"), ("t", b"\x88"),
                        ("b", named("_codecs", "encode") + sequence(text("é"), text("latin1")) + b"R"), ("l", b"](K\x01K\x02e")), "ok", ""
    yield "good_metadata", pickled(ORDERED + b"}" + text("_metadata") + ORDERED + b"sb"), "ok", ""
    yield "good_parameter", state(("p", named("torch._utils", "_rebuild_parameter") + sequence(tensor(), b"\x88", ORDERED) + b"R")), "ok", ""
    yield "good_size", state(("s", named("torch", "Size") + b"(K\x02K\x03t\x85R"), ("d", named("torch", "device") + text("cpu") + b"\x85R"),
                             ("t", named("torch", "float32"))), "ok", ""
    yield "good_protocol4", pickled(b"\x95" + struct.pack("<Q", 100) + b"\x8c\x01a\x94" + b"\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94\x86\x94", 4), "ok", ""
    yield "good_shared", pickled(b"}(" + text("a") + b"]q\x05" + text("b") + b"h\x05u"), "ok", ""
    yield "good_negative", pickled(b"\x8a\x01\xff"), "ok", ""

    yield "global_system", pickled(named("os", "system") + text("id") + b"\x85R"), UNSUPPORTED, "holds the pickle global \"os.system\", expected tensors only (at byte 2)"
    yield "global_deep", pickled(b"}" + text("a") + b"]" + named("posix", "system") + b"as"), UNSUPPORTED, "\"posix.system\", expected tensors only (at byte 10)"
    yield "global_eval", pickled(named("builtins", "eval") + text("1") + b"\x85R"), UNSUPPORTED, "\"builtins.eval\""
    yield "global_getattr", pickled(named("__builtin__", "getattr")), UNSUPPORTED, "\"__builtin__.getattr\""
    yield "global_stacked", pickled(b"\x8c\x02os\x8c\x06system\x93", 4), UNSUPPORTED, "\"os.system\", expected tensors only (at byte 14)"
    yield "global_module", pickled(named("model", "Autoencoder") + b")\x81"), UNSUPPORTED, "\"model.Autoencoder\""
    yield "global_dotted", pickled(named("torch._utils", "_rebuild_tensor_v2.__globals__")), UNSUPPORTED, "_rebuild_tensor_v2.__globals__\""
    yield "global_complex", state(("a", tensor(storage("ComplexFloatStorage")))), UNSUPPORTED, "\"torch.ComplexFloatStorage\""
    yield "global_untyped", pickled(named("torch.storage", "UntypedStorage")), UNSUPPORTED, "\"torch.storage.UntypedStorage\""
    yield "global_long", pickled(b"c" + b"a" * 300 + b"\n"), LIMIT, "a name has more than 256 bytes"
    yield "global_control", pickled(b"ca\x1b[31m\nb\n"), UNSUPPORTED, "holds the pickle global \"a"
    yield "global_number", pickled(b"K\x01K\x02\x93"), MALFORMED, "something that is not a text"

    for name, code, word in (("newobj", b"\x81", "NEWOBJ"), ("newobj_ex", b"\x92", "NEWOBJ_EX"), ("inst", b"ios\nsystem\n", "INST"), ("obj", b"o", "OBJ"),
                             ("ext", b"\x82\x01", "EXT1"), ("persid", b"P1\n", "PERSID"), ("string", b"S'a'\n", "STRING"), ("int", b"I1\n", "INT"),
                             ("dup", b"2", "DUP"), ("pop", b"0", "POP"), ("long4", b"\x8b\x00\x00\x00\x00", "LONG4"), ("frozenset", b"\x91", "FROZENSET"),
                             ("buffer", b"\x97", "NEXT_BUFFER")):
        yield "opcode_" + name, pickled(b"N" + code), UNSUPPORTED, f"holds the pickle instruction {word}, expected tensors only (at byte 3)"
    yield "opcode_unknown", pickled(b"\xff"), MALFORMED, "holds the pickle instruction 255"

    yield "empty", b"", MALFORMED, "ends inside an instruction"
    yield "cut", state(("a", tensor()))[:40], MALFORMED, "ends inside an instruction"
    yield "cut_text", b"\x80\x02X\xff\xff\xff\x7fab", MALFORMED, "ends inside an instruction"
    yield "cut_text8", b"\x80\x04\x8d" + b"\xff" * 8 + b"ab", MALFORMED, "ends inside an instruction"
    yield "no_stop", b"\x80\x02N", MALFORMED, "ends inside an instruction"
    yield "tail", pickled(b"N") + b"N", MALFORMED, "found 1 bytes after the end"
    yield "protocol0", b"\x80\x00N.", UNSUPPORTED, "has protocol 0, expected 2 to 5"
    yield "protocol9", b"\x80\x09N.", UNSUPPORTED, "has protocol 9"
    yield "nothing_left", pickled(b""), MALFORMED, "ends with 0 values, expected one"
    yield "two_left", pickled(b"NN"), MALFORMED, "ends with 2 values"
    yield "mark_left", pickled(b"N("), MALFORMED, "ends with 1 values"
    yield "empty_stack", pickled(b"\x85"), MALFORMED, "takes a value from an empty stack"
    yield "below_mark", pickled(b"N(\x85"), MALFORMED, "takes a value from an empty stack"
    yield "no_mark", pickled(b"Nt"), MALFORMED, "takes values without a mark"
    yield "memo_unknown", pickled(b"h\x07"), MALFORMED, "recalls value 7"
    yield "memo_empty", pickled(b"q\x00"), MALFORMED, "remembers a value from an empty stack"
    yield "cycle_list", pickled(b"]q\x00h\x00a"), MALFORMED, "contains itself"
    yield "cycle_dict", pickled(b"}q\x00" + text("a") + b"h\x00s"), MALFORMED, "contains itself"
    yield "cycle_long", pickled(b"]q\x00(]q\x01h\x00ae"), MALFORMED, "contains itself"
    yield "deep", pickled(b"]" * 70 + b"a" * 69), LIMIT, "nested deeper than 64 levels"
    yield "deep_tuples", pickled(b"N" + b"\x85" * 100000), LIMIT, "nested deeper than 64 levels"
    yield "laughs", pickled(b"(Nq\x00" + b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1]) for i in range(60)) + b"t"), "ok", ""
    yield "key_twice", state(("a", b"N"), ("a", b"N")), MALFORMED, "the key \"a\" occurs twice"
    yield "key_twice_number", pickled(b"}(K\x01NK\x01Nu"), MALFORMED, "the key \"1\" occurs twice"
    yield "key_tuple", pickled(b"})Ns"), MALFORMED, "neither a text nor a whole number"
    yield "key_alone", pickled(b"}(" + text("a") + b"u"), MALFORMED, "a key without a value"
    yield "append_to_tuple", pickled(b")Na"), MALFORMED, "expected a list"
    yield "set_in_list", pickled(b"]NNs"), MALFORMED, "expected a dictionary"
    yield "text_not_utf8", pickled(text(b"\xff")), MALFORMED, "is not UTF-8"
    yield "text_surrogate", pickled(text(b"\xed\xa0\x80")), MALFORMED, "is not UTF-8"
    yield "text_overlong", pickled(text(b"\xc0\x80")), MALFORMED, "is not UTF-8"
    yield "number_long", pickled(b"\x8a\x09" + b"\x01" * 9), LIMIT, "a whole number of 9 bytes"
    yield "bytes_beyond", pickled(named("_codecs", "encode") + sequence(text("\u0100"), text("latin1")) + b"R"), MALFORMED, "bytes beyond 255"
    yield "bytes_encoding", pickled(named("_codecs", "encode") + sequence(text("a"), text("rot13")) + b"R"), UNSUPPORTED, "expected the encoding latin1"
    yield "call_storage", pickled(named("torch", "FloatStorage") + b")R"), UNSUPPORTED, "calls what cannot be called"
    yield "call_text", pickled(text("a") + b")R"), UNSUPPORTED, "calls what cannot be called"
    yield "call_list_of", pickled(named("collections", "OrderedDict") + b"]" + b"\x85R"), UNSUPPORTED, "an OrderedDict from arguments"
    yield "call_without", pickled(named("collections", "OrderedDict") + b"NR"), MALFORMED, "describes arguments by something that is not a sequence"
    yield "build_list", pickled(b"]}b"), UNSUPPORTED, "gives a state to something that is not a dictionary"
    yield "build_class", pickled(named("collections", "OrderedDict") + b"}b"), UNSUPPORTED, "gives a state to something that is not a dictionary"
    yield "storage_text", pickled(text("a") + b"Q"), MALFORMED, "describes a storage by something that is not a sequence"
    yield "storage_module", pickled(storage(first="module")), MALFORMED, "not a storage of numbers"
    yield "storage_callable", pickled(storage("Size")), MALFORMED, "not a storage of numbers"
    yield "storage_negative", pickled(storage(elements=-1)), MALFORMED, "not a storage of numbers"
    yield "storage_long", pickled(storage(last=b"NN")), MALFORMED, "not a storage of numbers"
    yield "tensor_of_text", pickled(tensor(text("a"))), MALFORMED, "not a storage and an offset"
    yield "tensor_offset", pickled(tensor(offset=-1)), MALFORMED, "not a storage and an offset"
    yield "tensor_shape", pickled(tensor(shape=(-2, 3))), MALFORMED, "whose shape hold something else"
    yield "tensor_strides", pickled(tensor(strides=(3, -1))), MALFORMED, "whose strides hold something else"
    yield "tensor_ranks", pickled(tensor(strides=(1,))), MALFORMED, "2 dimensions with 1 strides"
    yield "tensor_rank", pickled(tensor(shape=(1,) * 9, strides=(1,) * 9)), LIMIT, "9 dimensions, at most 8 are read"
    yield "parameter_of_text", pickled(named("torch._utils", "_rebuild_parameter") + sequence(text("a"), b"\x88", ORDERED) + b"R"), MALFORMED, "not a tensor"


def archives():
    """(name, writes the file, code, part of the error)."""
    def plain(**changed):
        return lambda path: write_zip(path, members(**changed))

    def edited(edit, **changed):
        def write(path):
            write_zip(path, members(**changed))
            with open(path, "rb") as file:
                content = edit(file.read())
            with open(path, "wb") as file:
                file.write(content)
        return write

    def raw(content):
        def write(path):
            with open(path, "wb") as file:
                file.write(content)
        return write

    def view(**changed):
        return plain(pickle=state(("a", tensor(**changed))))

    yield "good", plain(), "ok", ""
    yield "good_prefix", plain(prefix="ae/"), "ok", ""
    yield "good_no_byteorder", plain(drop=("byteorder",)), "ok", ""
    yield "good_transposed", view(shape=(3, 2), strides=(1, 3)), "ok", ""
    yield "good_part", view(offset=1, shape=(2, 2), strides=(3, 1)), "ok", ""
    yield "good_empty", view(shape=(0, 3), strides=(3, 1)), "ok", ""
    yield "good_scalar", view(offset=5, shape=(), strides=()), "ok", ""
    yield "good_expanded", view(shape=(100, 6), strides=(0, 1)), "ok", ""
    yield "good_more", plain(more=[(".format_version", b"1"), (".data/serialization_id", b"1")]), "ok", ""
    yield "global_system", plain(pickle=pickled(named("os", "system") + text("id") + b"\x85R")), UNSUPPORTED, "\"os.system\", expected tensors only (at byte 2)"
    yield "big_endian", lambda path: write_zip(path, [(n, b"big" if n.endswith("byteorder") else c) for n, c in members()]), UNSUPPORTED, "has the byte order \"big\", expected little"
    yield "legacy", raw(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."), UNSUPPORTED, "of the form before version 1.6"
    yield "pointer", raw(b"version https://git-lfs.github.com/spec/v1\n"), MALFORMED, "is a Git LFS pointer"
    yield "empty", raw(b""), MALFORMED, "is empty, expected a PyTorch file"
    yield "not_zip", raw(b"hello, this is no archive at all"), MALFORMED, "is not a PyTorch file"
    yield "script", plain(more=[("constants.pkl", b""), ("code/a.py", b"")]), UNSUPPORTED, "is a TorchScript program"
    yield "no_pickle", plain(drop=("data.pkl",)), MALFORMED, "without a data.pkl"
    yield "two_pickles", lambda path: write_zip(path, members() + members(prefix="b/")), MALFORMED, "holds both \"archive/data.pkl\" and \"b/data.pkl\""
    yield "no_storage", plain(drop=("data/0",)), MALFORMED, "lacks the member \"archive/data/0\""
    yield "storage_outside", plain(pickle=state(("a", tensor(storage(key="../../data.pkl"))))), MALFORMED, "lacks the member"
    yield "deflated", lambda path: write_zip(path, members(), zipfile.ZIP_DEFLATED), UNSUPPORTED, "the member is deflated"
    yield "storage_short", plain(data=FLOATS[:-4]), MALFORMED, "the storage has 20 bytes, expected 6 elements of F32"
    yield "storage_long", plain(data=FLOATS + b"1234"), MALFORMED, "the storage has 28 bytes"
    yield "storage_type", plain(pickle=state(("a", tensor(storage("DoubleStorage"))))), MALFORMED, "expected 6 elements of F64"
    yield "storage_huge", plain(pickle=state(("a", tensor(storage(elements=2**62))))), MALFORMED, "expected 4611686018427387904 elements of F32"
    yield "crc", edited(lambda c: c.replace(FLOATS, FLOATS[:-1] + b"\x41", 1)), MALFORMED, "the member's CRC is"
    yield "truncated", edited(lambda c: c[:-30]), MALFORMED, "found no end-of-directory record"
    yield "stride_beyond", view(strides=(4, 1)), MALFORMED, "[2, 3] with strides [4, 1] at offset 0 reaches beyond its storage of 6 elements"
    yield "offset_beyond", view(offset=1), MALFORMED, "at offset 1 reaches beyond"
    yield "offset_huge", view(offset=2**63 - 1), MALFORMED, "reaches beyond its storage"
    yield "scalar_beyond", view(offset=6, shape=(), strides=()), MALFORMED, "reaches beyond its storage"
    yield "stride_overflow", view(shape=(5, 3), strides=(2**62, 1)), MALFORMED, "reaches beyond its storage"
    yield "sizes_overflow", view(shape=(2**40, 2**40), strides=(0, 0)), MALFORMED, "overflow"


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    lines = []
    for name, content, code, part in pickles():
        with open(os.path.join(FOLDER, name + ".pkl"), "wb") as out:
            out.write(content)
        lines.append(f"{name}.pkl\t{code}\t{part}\n")
    for name, write, code, part in archives():
        write(os.path.join(FOLDER, name + ".pt"))
        lines.append(f"{name}.pt\t{code}\t{part}\n")
    with open(os.path.join(FOLDER, "expectations.tsv"), "w", encoding="utf-8") as out:
        out.writelines(lines)


if __name__ == "__main__":
    main()
