#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of trained parts, good and damaged, as docs/formats-trained-tokens.md says: trained_tokens/*.bin and what reading each must say. open.bin is
for fuzz_trained_tokens alone, which puts the header's length before it."""
import json
import pathlib
import struct

FOLDER = pathlib.Path(__file__).parent / "trained_tokens"
FOLDER.mkdir(exist_ok=True)
METADATA = {"format": "tamis.trained-tokens/1", "method": "tokens.x", "parameters": '{"keep":0.7,"blocks":"auto","steps":20,"fuse":true}', "model": "0123456789abcdef" * 4}
expected = []


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def text(metadata, tensors):
    return json.dumps({"__metadata__": metadata, **tensors} if metadata else tensors, separators=(",", ":")).encode()


def write(name, code, says, metadata=None, tensors=None, content=None, cut=0, drop=None):
    chosen = {key: value for key, value in {**METADATA, **(metadata or {})}.items() if key != drop}
    header = text(chosen if drop != "*" else None, TENSORS if tensors is None else tensors)
    data = struct.pack("<Q", len(header)) + header + (CONTENT if content is None else content)
    (FOLDER / name).write_bytes(data[: len(data) - cut])
    expected.append((name, code, says))


TENSORS = {"0.norm.weight": entry("F32", [3], 0, 12), "0.in.weight": entry("F32", [3, 2], 12, 36)}
CONTENT = struct.pack("<9f", 1, -2, 0.5, 3, 1e-3, 7, 0, 1, 2)
ONE = {"a": entry("F32", [1], 0, 4)}

write("whole.bin", "ok", "9")
write("no_metadata.bin", "malformed file", "no 'format'", drop="*")
write("encoder.bin", "unsupported feature", "format \"tamis.trained-encoder/1\"", {"format": "tamis.trained-encoder/1"})
write("newer.bin", "unsupported feature", "expected \"tamis.trained-tokens/1\"", {"format": "tamis.trained-tokens/2"})
write("no_method.bin", "malformed file", "no 'method', expected that of trained parts", drop="method")
write("empty_method.bin", "malformed file", "no 'method'", {"method": ""})
write("no_model.bin", "malformed file", "no 'model'", drop="model")
write("short_model.bin", "malformed file", "expected 64 hexadecimal digits", {"model": "0" * 63})
write("upper_case_model.bin", "malformed file", "expected 64 hexadecimal digits", {"model": "A" * 64})
write("parameters_list.bin", "malformed file", "no JSON object", {"parameters": "[1]"})
write("parameters_nested.bin", "limit exceeded", "nested deeper", {"parameters": '{"keep":{}}'})
write("parameters_null.bin", "malformed file", "\"keep\" is null", {"parameters": '{"keep":null}'})
write("parameters_twice.bin", "malformed file", "keep", {"parameters": '{"keep":1,"keep":2}'})
write("parameters_cut.bin", "malformed file", "parameters", {"parameters": '{"keep":'})
write("integers.bin", "malformed file", "type I32, expected F32", tensors={"a": entry("I32", [1], 0, 4)}, content=b"\0" * 4)
write("half.bin", "malformed file", "type F16, expected F32", tensors={"a": entry("F16", [2], 0, 4)}, content=b"\0" * 4)
write("empty_tensor.bin", "malformed file", "at least one element", tensors={"a": entry("F32", [0, 3], 0, 0)}, content=b"")
write("shape.bin", "malformed file", "", tensors={"a": entry("F32", [2], 0, 4)}, content=b"\0" * 4)
write("overflow.bin", "malformed file", "", tensors={"a": entry("F32", [4294967296, 4294967296, 4], 0, 4)}, content=b"\0" * 4)
write("beyond.bin", "malformed file", "", tensors={"a": entry("F32", [4000000000], 0, 16000000000)}, content=b"\0" * 4)
write("nan.bin", "malformed file", "element 0 is no finite number", tensors=ONE, content=struct.pack("<f", float("nan")))
write("infinity.bin", "malformed file", "element 0 is no finite number", tensors=ONE, content=struct.pack("<f", float("-inf")))
write("cut.bin", "malformed file", "", cut=1)
write("behind.bin", "malformed file", "", content=CONTENT + b"\0")
(FOLDER / "open.bin").write_bytes(text(METADATA, TENSORS) + b"\0" + CONTENT)
expected.append(("open.bin", "malformed file", ""))
(FOLDER / "empty.bin").write_bytes(b"")
expected.append(("empty.bin", "malformed file", ""))
(FOLDER / "expectations.tsv").write_text("# file, code, what its sentence contains; ok: numbers in it\n" + "".join("\t".join(line) + "\n" for line in expected))
