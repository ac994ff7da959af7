#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the files of tests/corpus/{safetensors,sharded,config} and the expectations beside them.

expectations.tsv: file or directory, error code ("ok" when it opens), a part of the error's text. The tests walk these
lists; the fuzzers begin with these files. Run in this directory; the output is the same every time.
"""
import json
import os
import shutil
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
MALFORMED, UNSUPPORTED, LIMIT, IO = "malformed file", "unsupported feature", "limit exceeded", "i/o failure"


def container(header, data=b"", length=None):
    """A safetensors file; `header` is an object, a text or bytes; `length` overrides the true header length."""
    if isinstance(header, (dict, list)):
        header = json.dumps(header, separators=(",", ":"))
    if isinstance(header, str):
        header = header.encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def tensor(begin, end, shape, dtype="F32", **more):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end], **more}


def floats(count):
    return struct.pack("<%df" % count, *[i * 0.5 for i in range(count)])


def safetensors_cases():
    good = container({"a.weight": tensor(0, 24, [2, 3]), "b.bias": tensor(24, 36, [3])}, floats(9))
    yield "good", good, "ok", ""
    yield "good_metadata", container({"__metadata__": {"format": "pt"}, "a": tensor(0, 4, [1])}, floats(1)), "ok", ""
    yield "good_padded", container(json.dumps({"a": tensor(0, 4, [])}) + "    ", floats(1)), "ok", ""
    yield "good_unordered", container({"b": tensor(4, 8, [1]), "a": tensor(0, 4, [1])}, floats(2)), "ok", ""
    yield "good_empty_tensor", container({"a": tensor(0, 0, [0, 7]), "b": tensor(0, 4, [1])}, floats(1)), "ok", ""
    every = {}
    at = 0
    for dtype, size in [("F64", 8), ("I64", 8), ("F32", 4), ("I32", 4), ("F16", 2), ("BF16", 2), ("I16", 2), ("I8", 1), ("U8", 1), ("BOOL", 1)]:
        every["t." + dtype] = tensor(at, at + 3 * size, [3], dtype)
        at += 3 * size
    yield "good_every_dtype", container(every, bytes(i % 2 for i in range(at))), "ok", ""
    yield "good_nan", container({"a.weight": tensor(0, 16, [2, 2])}, struct.pack("<4f", float("nan"), float("inf"), -float("inf"), 1)), "ok", ""

    yield "empty", b"", MALFORMED, "is empty, expected a safetensors file"
    yield "three_bytes", b"\x01\x02\x03", MALFORMED, "is truncated: found 3 bytes"
    yield "length_beyond_file", container({"a": tensor(0, 4, [1])}, floats(1), length=5000), MALFORMED, "the header length 5000 reaches beyond the end of the file"
    yield "length_all_ones", container({"a": tensor(0, 4, [1])}, floats(1), length=2**64 - 1), MALFORMED, "the header length 18446744073709551615 reaches beyond"
    yield "length_zero", container("", b"1234"), MALFORMED, "does not begin with {"
    yield "length_cuts_json", container({"a": tensor(0, 4, [1])}, floats(1), length=20), MALFORMED, "the header is not valid JSON"
    yield "truncated_header", good[:40], MALFORMED, "reaches beyond the end of the file"
    yield "truncated_data", good[:-5], MALFORMED, "tensor \"b.bias\": data_offsets [24, 36) reach beyond the end of the file, whose data has 31 bytes"
    yield "git_lfs_pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4934120\n", MALFORMED, "is a Git LFS pointer"
    yield "text_file", b"These are not the weights you are looking for.\n", MALFORMED, "not a safetensors file"
    yield "array_header", container("[1,2,3]"), MALFORMED, "does not begin with {"
    yield "json_syntax", container('{"a":{"dtype":"F32",,}}'), MALFORMED, "the header is not valid JSON: parse error at line 1, column 21"
    yield "json_trailing", container('{}{}'), MALFORMED, "the header is not valid JSON"
    yield "json_bad_utf8", container(b'{"a\xff\xfe":{}}'), MALFORMED, "the header is not valid JSON"
    yield "json_deep_array", container('{"a":{"dtype":"F32","shape":' + "[" * 20000 + "]" * 20000 + "}}"), MALFORMED, "the header holds an array, expected whole numbers in shape"
    yield "json_deep_object", container('{"a":' * 20000 + "1" + "}" * 20000), UNSUPPORTED, "tensor \"a\": has the unknown key \"a\""
    yield "json_number_overflow", container('{"a":{"dtype":"F32","shape":[1e999],"data_offsets":[0,4]}}', floats(1)), MALFORMED, "the header is not valid JSON"
    yield "no_tensors", container({}), UNSUPPORTED, "holds no tensors"
    yield "nameless", container({"": tensor(0, 4, [1])}, floats(1)), MALFORMED, "a tensor has no name"
    yield "name_too_long", container({"n" * 5000: tensor(0, 4, [1])}, floats(1)), LIMIT, "a tensor name has 5000 bytes, at most 4096"
    one = json.dumps(tensor(0, 4, [1]))
    yield "duplicate_name", container('{"a":%s,"a":%s}' % (one, json.dumps(tensor(4, 8, [1]))), floats(2)), MALFORMED, "the name \"a\" occurs twice in the header"
    yield "duplicate_escaped_name", container('{"a":%s,"\\u0061":%s}' % (one, json.dumps(tensor(4, 8, [1]))), floats(2)), MALFORMED, "the name \"a\" occurs twice"
    yield "duplicate_field", container('{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}', floats(1)), MALFORMED, "tensor \"a\": the key \"shape\" occurs twice"
    yield "duplicate_metadata", container('{"__metadata__":{"k":"1","k":"2"},"a":%s}' % one, floats(1)), MALFORMED, "the key \"k\" occurs twice in __metadata__"
    yield "metadata_number", container('{"__metadata__":{"k":1},"a":%s}' % one, floats(1)), MALFORMED, "the header holds the number 1, expected only strings in __metadata__"
    yield "tensor_is_number", container('{"a":7}'), MALFORMED, "tensor \"a\": the header holds the number 7, expected an object for each tensor"
    yield "unknown_key", container({"a": tensor(0, 4, [1], scale=2)}, floats(1)), UNSUPPORTED, "has the unknown key \"scale\""
    yield "lacks_dtype", container({"a": {"shape": [1], "data_offsets": [0, 4]}}, floats(1)), MALFORMED, "tensor \"a\": lacks dtype"
    yield "lacks_shape", container({"a": {"dtype": "F32", "data_offsets": [0, 4]}}, floats(1)), MALFORMED, "lacks shape"
    yield "lacks_offsets", container({"a": {"dtype": "F32", "shape": [1]}}, floats(1)), MALFORMED, "lacks data_offsets"
    yield "one_offset", container({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0]}}, floats(1)), MALFORMED, "data_offsets holds 1 numbers, expected two"
    yield "three_offsets", container({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]}}, floats(1)), MALFORMED, "data_offsets holds more than two numbers"
    yield "dtype_unknown", container({"a": tensor(0, 1, [1], "F8_E4M3")}, b"1"), UNSUPPORTED, "tensor \"a\": has the unknown dtype \"F8_E4M3\", expected F64"
    yield "dtype_number", container({"a": tensor(0, 1, [1], 3)}, b"1"), MALFORMED, "the header holds the number 3, expected a string for dtype"
    yield "shape_negative", container({"a": tensor(0, 4, [-1])}, floats(1)), MALFORMED, "tensor \"a\": has the negative dimension -1"
    yield "shape_overflow", container({"a": tensor(0, 4, [2**32, 2**32, 2**32])}, floats(1)), MALFORMED, "has a shape whose size overflows: [4294967296, 4294967296, 4294967296]"
    yield "shape_overflow_zero", container({"a": tensor(0, 0, [2**62, 0, 2**62])}), MALFORMED, "has a shape whose size overflows"
    yield "shape_wraps_to_four", container({"a": tensor(0, 4, [2**62 + 1])}, floats(1)), MALFORMED, "has a shape whose size overflows: [4611686018427387905]"
    yield "shape_uint64", container({"a": tensor(0, 4, [2**64 - 1])}, floats(1)), MALFORMED, "has the dimension 18446744073709551615, expected at most 2^63 - 1"
    yield "shape_beyond_uint64", container({"a": tensor(0, 4, [2**80])}, floats(1)), MALFORMED, "a dimension is \"1208925819614629174706176\", expected a whole number"
    yield "shape_fraction", container({"a": tensor(0, 4, [1.5])}, floats(1)), MALFORMED, "a dimension is \"1.5\", expected a whole number"
    yield "shape_string", container({"a": tensor(0, 4, ["1"])}, floats(1)), MALFORMED, "the header holds the string \"1\", expected whole numbers in shape"
    yield "shape_rank", container({"a": tensor(0, 4, [1] * 9)}, floats(1)), LIMIT, "tensor \"a\": has more than 8 dimensions"
    yield "offsets_negative", container({"a": tensor(-4, 0, [1])}, floats(1)), MALFORMED, "has the negative offset -4"
    yield "offsets_backwards", container({"a": tensor(4, 0, [1])}, floats(1)), MALFORMED, "data_offsets [4, 0) run backwards"
    yield "offsets_beyond", container({"a": tensor(0, 400, [100])}, floats(1)), MALFORMED, "data_offsets [0, 400) reach beyond the end of the file, whose data has 4 bytes"
    yield "offsets_huge", container({"a": tensor(2**63 - 5, 2**63 - 1, [1])}, floats(1)), MALFORMED, "reach beyond the end of the file"
    yield "offsets_size", container({"a": tensor(0, 8, [1])}, floats(2)), MALFORMED, "data_offsets [0, 8) span 8 bytes, expected 4 for F32 [1]"
    yield "offsets_overlap", container({"a": tensor(0, 8, [2]), "b": tensor(4, 12, [2])}, floats(3)), MALFORMED, "overlap those of \"a\""
    yield "offsets_same", container({"a": tensor(0, 4, [1]), "b": tensor(0, 4, [1])}, floats(1)), MALFORMED, "tensor \"b\": its bytes"
    yield "offsets_hole", container({"a": tensor(0, 4, [1]), "b": tensor(8, 12, [1])}, floats(3)), MALFORMED, "tensor \"b\": before it lie 4 bytes that belong to no tensor"
    yield "offsets_hole_first", container({"a": tensor(4, 8, [1])}, floats(2)), MALFORMED, "before it lie 4 bytes"
    yield "bytes_after_last", container({"a": tensor(0, 4, [1])}, floats(2)), MALFORMED, "the last 4 bytes belong to no tensor"


def index(weight_map, metadata=None):
    document = {"weight_map": weight_map}
    if metadata is not None:
        document = {"metadata": metadata, **document}
    return json.dumps(document).encode()


def sharded_cases():
    one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    a = container({"a.weight": tensor(0, 16, [2, 2])}, floats(4))
    b = container({"b.weight": tensor(0, 8, [1, 2])}, floats(2))
    both = {"a.weight": one, "b.weight": two}
    shards = {one: a, two: b}
    yield "good", {"index": index(both, {"total_size": 24}), **shards}, "ok", ""
    yield "good_float_total", {"index": index(both, {"total_size": 24.0}), **shards}, "ok", ""
    yield "missing_shard", {"index": index(both), one: a}, IO, two + ": the shard is missing, \"model.safetensors.index.json\" names it"
    for name, shard in [("parent", "../x.safetensors"), ("absolute", "/etc/passwd"), ("dots", ".."), ("dot", "."), ("backslash", "..\\x"), ("folder", "sub/x.safetensors"), ("nameless", ""), ("nul", "a\x00b")]:
        yield "shard_" + name, {"index": index({"a.weight": shard, "b.weight": two}), **shards}, MALFORMED, "expected the plain name of a file in the same directory"
    yield "shard_is_directory", {"index": index({"a.weight": "folder", "b.weight": two}), two: b, "folder/keep": b""}, IO, "folder: is a directory, expected a file"
    yield "shard_malformed", {"index": index(both), one: a, two: b[:-3]}, MALFORMED, two + ": tensor \"b.weight\": data_offsets [0, 8) reach beyond"
    yield "tensor_not_in_shard", {"index": index({**both, "c.weight": one}), **shards}, MALFORMED, "weight_map puts tensor \"c.weight\" into \"%s\", which does not hold it" % one
    yield "tensor_in_other_shard", {"index": index({"a.weight": two, "b.weight": one}), **shards}, MALFORMED, "which does not hold it (found in"
    yield "tensor_in_two_shards", {"index": index(both), one: a, two: a}, MALFORMED, "tensor \"a.weight\": is also in the shard \"%s\"" % one
    yield "index_empty", {"index": b"", **shards}, MALFORMED, "is not valid JSON"
    yield "index_array", {"index": b"[]", **shards}, MALFORMED, "is not a shard index, expected a JSON object"
    yield "index_no_map", {"index": b"{}", **shards}, MALFORMED, "expected an object weight_map"
    yield "index_empty_map", {"index": index({}), **shards}, MALFORMED, "weight_map is empty"
    yield "index_number", {"index": index({"a.weight": 1}), **shards}, MALFORMED, "weight_map gives no file name for tensor \"a.weight\""
    yield "index_duplicate", {"index": b'{"weight_map":{"a.weight":"x","a.weight":"y"}}', **shards}, MALFORMED, "the key \"a.weight\" occurs twice in one object"
    yield "index_deep", {"index": b'{"weight_map":' + b"[" * 30000 + b"]" * 30000 + b"}", **shards}, LIMIT, "JSON is nested deeper than 8 levels"
    yield "index_total_size", {"index": index(both, {"total_size": "24"}), **shards}, MALFORMED, "metadata.total_size is"
    yield "no_weights", {"readme.txt": b"nothing here"}, UNSUPPORTED, "the directory holds no weights"
    yield "two_files", {"x.safetensors": a, "y.safetensors": b}, UNSUPPORTED, "the directory holds 2 safetensors files and 0 indexes"
    yield "one_file", {"x.safetensors": a}, "ok", ""
    yield "bad_config", {"model.safetensors": a, "config.json": b"{"}, MALFORMED, "config.json: is not valid JSON"


def config_cases():
    yield "good_vit", b'{"architecture":"vit_tiny","embed_dim":192,"depth":12,"num_heads":3,"mlp_ratio":4}', "ok", ""
    yield "good_llama", b'{"model_type":"llama","hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"intermediate_size":14336}', "ok", ""
    yield "good_gpt2", b'{"model_type":"gpt2","n_embd":768,"n_layer":12,"n_head":12,"n_inner":null}', "ok", ""
    yield "good_swin", b'{"model_type":"swin","embed_dim":96,"num_heads":[3,6,12,24]}', "ok", ""
    yield "empty", b"", MALFORMED, "is not valid JSON"
    yield "array", b"[1]", MALFORMED, "expected a JSON object"
    yield "cut", b'{"model_type":"llama",', MALFORMED, "is not valid JSON"
    yield "duplicate", b'{"hidden_size":1,"hidden_size":2}', MALFORMED, "the key \"hidden_size\" occurs twice"
    yield "deep", b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", LIMIT, "JSON is nested deeper than 64 levels"
    yield "very_deep", b"[" * 50000, LIMIT, "JSON is nested deeper than 64 levels"
    yield "negative", b'{"hidden_size":-768}', MALFORMED, "hidden_size is \"-768\", expected a whole number from 1"
    yield "zero", b'{"num_hidden_layers":0}', MALFORMED, "num_hidden_layers is \"0\""
    yield "huge", b'{"num_attention_heads":99999999999}', MALFORMED, "num_attention_heads is \"99999999999\""
    yield "string", b'{"head_dim":"64"}', MALFORMED, "head_dim is"
    yield "fraction", b'{"intermediate_size":1.5}', MALFORMED, "intermediate_size is \"1.5\""
    yield "bad_utf8", b'{"model_type":"\xff"}', MALFORMED, "is not valid JSON"


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def fresh(folder):
    path = os.path.join(HERE, folder)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def expectations(folder, lines):
    write(os.path.join(folder, "expectations.tsv"), "".join("\t".join(line) + "\n" for line in lines).encode())


def main():
    for folder, cases, suffix in [("safetensors", safetensors_cases, ".safetensors"), ("config", config_cases, ".json")]:
        path = fresh(folder)
        lines = []
        for name, content, code, text in cases():
            write(os.path.join(path, name + suffix), content)
            lines.append((name + suffix, code, text))
        expectations(path, lines)
    path = fresh("sharded")
    lines = []
    for name, files, code, text in sharded_cases():
        for file, content in files.items():
            write(os.path.join(path, name, "model.safetensors.index.json" if file == "index" else file), content)
        lines.append((name, code, text))
    expectations(path, lines)


main()
