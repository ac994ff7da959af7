#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints a safetensors file as the format's description reads, with NumPy alone. Exit status 77: no NumPy."""
import json
import struct
import sys

try:
    import numpy as np
except ImportError:
    sys.exit(77)

TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?"}

with open(sys.argv[1], "rb") as file:
    (length,) = struct.unpack("<Q", file.read(8))
    header = json.loads(file.read(length))
    data = file.read()
for name, entry in sorted(header.items()):
    if name == "__metadata__":
        print(name, entry)
        continue
    begin, end = entry["data_offsets"]
    values = np.frombuffer(data[begin:end], TYPES[entry["dtype"]]).reshape(entry["shape"])
    print(name, entry["dtype"], entry["shape"], values.astype(np.float64).ravel().tolist())
