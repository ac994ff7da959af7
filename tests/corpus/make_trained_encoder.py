#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""First inputs of fuzz_trained_encoder: trained_encoder/*.bin, as docs/formats-trained-encoder.md says; header and tensors, the length before them
left to the fuzzer but in whole.bin."""
import json
import pathlib
import struct

FOLDER = pathlib.Path(__file__).parent / "trained_encoder"
FOLDER.mkdir(exist_ok=True)
METADATA = {"format": "tamis.trained-encoder/1", "method": "encoder.x", "parameters": '{"rank":2,"rate":0.5,"start":"random","centre":true}', "width": "2", "latents": "3", "k": "1", "dictionary": "0" * 64}


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def text(metadata, tensors):
    return json.dumps({"__metadata__": metadata, **tensors}, separators=(",", ":")).encode()


tensors = {"a": entry("F32", [3, 2], 0, 24), "places": entry("I32", [3], 24, 36)}
content = struct.pack("<6f3i", 1, -2, 0.5, 3, 1e-3, 7, 0, 1, 2)
header = text(METADATA, tensors)
(FOLDER / "whole.bin").write_bytes(struct.pack("<Q", len(header)) + header + content)
(FOLDER / "open.bin").write_bytes(header + b"\0" + content)
(FOLDER / "nan.bin").write_bytes(header + b"\0" + struct.pack("<f", float("nan")) + content[4:])
(FOLDER / "scalar.bin").write_bytes(text(METADATA, {"a": entry("F32", [], 0, 4)}) + b"\0" + content[:4])
(FOLDER / "half.bin").write_bytes(text(METADATA, {"a": entry("F16", [2], 0, 4)}) + b"\0" + content[:4])
(FOLDER / "k.bin").write_bytes(text({**METADATA, "k": "4"}, {"a": entry("F32", [1], 0, 4)}) + b"\0" + content[:4])
