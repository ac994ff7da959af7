# SPDX-License-Identifier: GPL-3.0-or-later
"""safetensors files with NumPy alone."""
import json
import struct

import numpy as np

NAMES = {np.dtype("<f4"): "F32", np.dtype("<f2"): "F16", np.dtype("<i4"): "I32"}


def write(path, tensors, metadata=None):
    """tensors: name -> array. The header is padded so that the first tensor starts at a multiple of 8 bytes."""
    header, at = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    for name, array in tensors.items():
        header[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            out.write(np.ascontiguousarray(array).tobytes())


def read(path):
    """name -> array, in float32 or int32."""
    types = {name: dtype for dtype, name in NAMES.items()}
    with open(path, "rb") as source:
        content = source.read()
    size = struct.unpack("<Q", content[:8])[0]
    tensors = {}
    for name, entry in json.loads(content[8:8 + size]).items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            array = np.frombuffer(content[8 + size + first:8 + size + last], types[entry["dtype"]])
            array = array.reshape(entry["shape"])
            tensors[name] = array.astype(np.float32) if array.dtype == np.float16 else array.copy()
    return tensors
