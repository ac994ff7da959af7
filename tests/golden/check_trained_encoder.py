#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores rows with a trained encoder's file by the formulas of docs/formats-trained-encoder.md, with NumPy alone, in double:
check_trained_encoder.py FILE.safetensors ROWS.npy [COUNT]. Prints, a row each, k + 1 pairs latent:score, largest first. Status 77: no NumPy."""
import json
import math
import struct
import sys

try:
    import numpy as np
except ImportError:
    sys.exit(77)

with open(sys.argv[1], "rb") as file:
    (length,) = struct.unpack("<Q", file.read(8))
    header = json.loads(file.read(length))
    content = file.read()
meta = header.pop("__metadata__")
assert meta["format"] == "tamis.trained-encoder/1"
D, M, k, parameters = int(meta["width"]), int(meta["latents"]), int(meta["k"]), json.loads(meta["parameters"])
t = {}
for name, entry in header.items():
    begin, end = entry["data_offsets"]
    t[name] = np.frombuffer(content[begin:end], {"F32": "<f4", "I32": "<i4"}[entry["dtype"]]).reshape(entry["shape"])
    t[name] = t[name].astype(np.float64) if entry["dtype"] == "F32" else t[name]
x = np.load(sys.argv[2]).astype(np.float64)[: int(sys.argv[3]) if len(sys.argv) > 3 else None]
assert x.shape[1] == D


def low_rank():
    return x @ t["a"].T @ t["b"].T + t["bias"]


def tiled():
    scores = np.tile(t["bias"], (len(x), 1))
    for tile in range(parameters["tiles"]):
        inputs, latents = np.flatnonzero(t["inputs"] == tile), np.flatnonzero(t["latents"] == tile)
        own = x[:, inputs]
        if parameters["rank"] > 0:
            own = own @ t[f"a.{tile}"].T
        scores[:, latents] += own @ t[f"b.{tile}"].T
    return scores


def distilled():
    erf = np.vectorize(math.erf)
    hidden = x @ t["w1"].T + t["b1"]
    hidden = 0.5 * hidden * (1 + erf(hidden / math.sqrt(2)))
    return hidden @ t["w2"].T + t["b2"]


s = {"encoder.low-rank-trained": low_rank, "encoder.tiled-trained": tiled, "encoder.distilled": distilled}[meta["method"]]()
assert s.shape == (len(x), M)
for row in s:
    order = np.argsort(-row, kind="stable")[: k + 1]
    print(" ".join(f"{i}:{row[i]:.9g}" for i in order))
