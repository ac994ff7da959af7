#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""References for the encoder lab: tests/golden/encoder_golden.npz, by NumPy in double from datasets/sae. Run with Debian's
python3 (python3-numpy).

Calibration: the first 384 bundled activations; measured: the other 384. The low-rank encoder is W (x - m) ~ U_r U_r^T W (x - m)
with U the left singular vectors (numpy.linalg.svd) of W C^{1/2}, C^{1/2} the symmetric root. "summary" of each case: recall
mean, p5, p1, min, value error, FVU, FVU of the exact codes, L0, exact L0.
"""
import json
import math
import pathlib
import struct

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
CALIBRATION, RIDGE = 384, 1e-4
TYPES = {"F32": "<f4", "F16": "<f2"}


def tensors(path):
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header, data = json.loads(raw[8:8 + length]), raw[8 + length:]
    return {n: np.frombuffer(data[slice(*e["data_offsets"])], TYPES[e["dtype"]]).reshape(e["shape"]).astype(np.float64)
            for n, e in header.items() if n != "__metadata__"}


def top(scores, k):
    """(latents, values) of each row's k largest positive scores."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return [(o[s[o] > 0], s[o][s[o] > 0]) for o, s in zip(order, scores)]


def decoded(codes, t):
    return np.stack([values @ t["W_dec"][latents] + t["b_dec"] for latents, values in codes])


def fvu(x, y):
    return ((x - y) ** 2).sum() / ((x - x.mean(0)) ** 2).sum()


def nearest_rank(values, percent):
    return np.sort(values)[max(1, math.ceil(percent / 100 * len(values))) - 1]


def low_rank(w, bias, rows, rank, centre, weighted):
    """(scores of x, squared singular values)."""
    mean = rows.mean(0) if centre and weighted else np.zeros(w.shape[1])
    c = (rows - mean).T @ (rows - mean) / len(rows) if weighted else np.eye(w.shape[1])
    if weighted:
        c += RIDGE * np.trace(c) / len(c) * np.eye(len(c))
    values, vectors = np.linalg.eigh(c)
    u, s, _ = np.linalg.svd(w @ (vectors * np.sqrt(values)) @ vectors.T, full_matrices=False)
    u = u[:, :rank]
    return (lambda x: (x - mean) @ (u @ (u.T @ w)).T + w @ mean + bias), s ** 2


def summary(exact, found, x, t, latents):
    recalls, missed, error, energy = [], np.zeros(latents, np.int64), 0.0, 0.0
    for (e, ev), (f, fv) in zip(exact, found):
        hit = np.isin(e, f)
        recalls.append(hit.mean())
        missed[e[~hit]] += 1
        theirs = dict(zip(f, fv))
        error += sum((theirs[i] - v) ** 2 for i, v in zip(e[hit], ev[hit]))
        energy += (ev[hit] ** 2).sum()
    worst = np.argsort(-missed, kind="stable")[:10]
    numbers = [np.mean(recalls), nearest_rank(recalls, 5), nearest_rank(recalls, 1), min(recalls), math.sqrt(error / energy),
               fvu(x, decoded(found, t)), fvu(x, decoded(exact, t)), np.mean([len(f) for f, _ in found]), np.mean([len(e) for e, _ in exact])]
    return np.array(numbers), np.array(recalls), np.stack([worst, missed[worst]])


def main():
    out = {}
    t = tensors(ROOT / "datasets/sae/vit20.block3.k16/sparsify/sae.safetensors")
    rows = np.load(ROOT / "datasets/sae/vit20.block3.heldout.npy").astype(np.float64)
    calibration, x = rows[:CALIBRATION], rows[CALIBRATION:]
    w, bias = t["encoder.weight"], t["encoder.bias"] - t["encoder.weight"] @ t["b_dec"]
    exact = top(x @ w.T + bias, 16)
    for name, rank, centre, weighted in (("weighted", 32, False, True), ("centred", 32, True, True), ("plain", 32, True, False)):
        scores, squares = low_rank(w, bias, calibration, rank, centre, weighted)
        numbers, recalls, missed = summary(exact, top(scores(x), 16), x, t, len(w))
        out |= {f"{name}.summary": numbers, f"{name}.recalls": recalls, f"{name}.missed": missed, f"{name}.squares": squares}
        print(name, numbers)
    np.savez_compressed(ROOT / "tests/golden/encoder_golden.npz", **out)


if __name__ == "__main__":
    main()
