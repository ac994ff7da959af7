#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""NumPy's conversions to and from float16, as references for core/tensor/convert.

f16_encode.bin: little-endian; uint32 n, n pairs (float32, float16), uint32 m, m pairs (float64, float16).
f16_decode.sha256: SHA-256 of the float32 values of all float16 patterns that are not NaN, in the order of the patterns.
"""
import hashlib
import os
import struct

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
random = np.random.default_rng(20240611)


def pairs(dtype, values):
    values = np.asarray(values, dtype)
    with np.errstate(over="ignore", under="ignore"):
        halves = values.astype(np.float16)
    record = np.empty(len(values), [("value", np.dtype(dtype).newbyteorder("<")), ("half", "<u2")])
    record["value"], record["half"] = values, halves.view(np.uint16)
    return struct.pack("<I", len(values)) + record.tobytes()


def main():
    special = [0.0, -0.0, np.inf, -np.inf, 65504.0, 65519.996, 65520.0, 65536.0, 6.103515625e-05, 6.097555160522461e-05,
               5.960464477539063e-08, 2.9802322387695312e-08, 2.98023224e-08, 1e-30, -1e-30, 1e38, -1e38]
    spread = np.ldexp(random.uniform(-1, 1, 2000), random.integers(-28, 18, 2000))
    ordinary = random.normal(size=2000)
    with open(os.path.join(HERE, "f16_encode.bin"), "wb") as file:
        file.write(pairs(np.float32, np.concatenate([special, spread, ordinary])))
        file.write(pairs(np.float64, np.concatenate([special, spread, ordinary])))
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    decoded = every[~np.isnan(every)].astype("<f4")
    with open(os.path.join(HERE, "f16_decode.sha256"), "w") as file:
        file.write(hashlib.sha256(decoded.tobytes()).hexdigest() + "\n")


main()
