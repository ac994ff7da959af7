#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Token ids in every integer type of NumPy, as NumPy writes them: tokens_*.npy beside this script.

Each holds [[1, 12, 0], [5, 10, 42]] but for the largest values of the unsigned types, in the last place.
"""
import pathlib

import numpy as np

here = pathlib.Path(__file__).resolve().parent
for name, dtype in {"i1": "i1", "u1": "u1", "i2": "<i2", "u2": "<u2", "u2_big": ">u2", "i4_big": ">i4", "u4": "<u4", "i8": "<i8", "u8": "<u8", "u8_big": ">u8"}.items():
    last = min(np.iinfo(dtype).max, 2**31 - 1) if "u" in dtype else 42
    np.save(here / f"tokens_{name}.npy", np.array([[1, 12, 0], [5, 10, last]], dtype))
np.save(here / "tokens_fortran.npy", np.asfortranarray(np.array([[1, 12, 0], [5, 10, 65535]], "<u2")))
np.save(here / "tokens_vector.npy", np.arange(7, dtype="<u4") * 3)
