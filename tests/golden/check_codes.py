#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Codes that Tamis wrote, against those that NumPy makes of the same rows: check_codes.py CODES AUTOENCODER ROWS.
AUTOENCODER: a sparsify directory (cfg.json, sae.safetensors); ROWS: .npy [rows, D]. Scores are summed in double here and in float there: a latent
may differ where its score is within 1e-4 of the last of the set, and values by 1e-4. Exit status 77: no NumPy."""
import json
import struct
import sys

try:
    import numpy as np
except ImportError:
    sys.exit(77)

TYPES = {"F32": "<f4", "F16": "<f2", "I32": "<i4"}


def read(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    assert max((e["data_offsets"][1] for e in header.values())) == len(data), "bytes after the last tensor"
    return metadata, {n: np.frombuffer(data[slice(*e["data_offsets"])], TYPES[e["dtype"]]).reshape(e["shape"]) for n, e in header.items()}


metadata, codes = read(sys.argv[1])
weights = {n: w.astype(np.float64) for n, w in read(sys.argv[2] + "/sae.safetensors")[1].items()}
k = json.load(open(sys.argv[2] + "/cfg.json"))["k"]
x = np.load(sys.argv[3]).astype(np.float64)
indices, values = codes["indices"], codes["values"]
assert metadata["format"] == "tamis.codes/1" and int(metadata["k"]) == k
assert indices.shape == values.shape == (len(x), k), indices.shape
assert indices.dtype == np.int32 and values.dtype == np.float32
there = indices >= 0
assert (indices[~there] == -1).all() and (values[~there] == 0).all() and (values[there] > 0).all()
assert (np.diff(there.astype(int), axis=1) <= 0).all(), "padding stands last"
assert (np.diff(values, axis=1) <= 0).all(), "largest first"
scores = np.maximum((x - weights["b_dec"]) @ weights["encoder.weight"].T + weights["encoder.bias"], 0)
wanted = np.argsort(-scores, axis=1, kind="stable")[:, :k]
least = np.take_along_axis(scores, wanted, 1)[:, -1]
own = np.take_along_axis(scores, np.where(there, indices, 0), 1)
assert np.abs(np.where(there, own, 0) - values).max() < 1e-4 * scores.max()
different = 0
for t in range(len(x)):
    mine, theirs = set(indices[t][there[t]]), set(wanted[t][np.take(scores[t], wanted[t]) > 0])
    for latent in mine ^ theirs:
        assert abs(scores[t][latent] - least[t]) < 1e-4, (t, latent)
        different += 1
assert different <= len(x) * k // 1000, different
print(len(x), int(there.sum()), "latents")
