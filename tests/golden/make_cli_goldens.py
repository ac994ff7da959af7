#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses of low-rank pairs on vit20, computed directly with NumPy, for tests/cli: writes cli_losses.json beside itself.

No formula of the program is used: a pair (B, A) is formed and |(W - B A) X|^2 is summed entry by entry.
  plain     B A = best rank-r approximation of W (np.linalg.svd); loss |W - B A|^2
  samples   B = leading left singular vectors of W X^T, A = B^T W, X = the sample rows of the calibration file
  gram      the same with X^T replaced by a square root of the gram matrix
Held out: |(W - B A) X_h^T|^2 on the held-out rows. Weights are read with a ten-line safetensors reader.
"""
import json, math, pathlib, struct
import h5py
import numpy as np

here = pathlib.Path(__file__).resolve().parent
vit = here.parent.parent / "datasets" / "vit20"
raw = (vit / "model.safetensors").read_bytes()
length = struct.unpack("<Q", raw[:8])[0]
header = json.loads(raw[8:8 + length])


def weights(name):
    entry = header[name + ".weight"]
    assert entry["dtype"] == "F32"
    begin, end = entry["data_offsets"]
    values = np.frombuffer(raw[8 + length + begin:8 + length + end], "<f4").astype(np.float64)
    return values.reshape(entry["shape"][0], -1)


def squared(m):
    return float(np.sum(m * m))


def record(w, u_of, ranks, calibrated, held):
    """Losses of B = U_r, A = U_r^T W at each rank."""
    out = {"loss": [], "heldOutLoss": []}
    for r in ranks:
        b = u_of[:, :r]
        d = w - b @ (b.T @ w)
        out["loss"].append(calibrated(d))
        if held is not None:
            out["heldOutLoss"].append(squared(d @ held.T))
    return out


result = {"ranks": {}, "plain": {}, "samples": {}, "gram": {}}
means = {"relativeLoss": [], "heldOutRelativeLoss": [], "baselineRelativeLoss": [], "baselineHeldOutRelativeLoss": []}
with h5py.File(vit / "calibration.h5") as f:
    for name in sorted(f["sites"]):
        site = f["sites"][name]
        w = weights(name)
        m, n = w.shape
        p = min(m, n)
        ranks = sorted({0, 1, 3, p // 4, p // 2, p - 1})
        x, h, c = (np.array(site[k], np.float64) for k in ("samples", "heldout", "gram"))
        values, vectors = np.linalg.eigh(c)
        root = vectors * np.sqrt(np.maximum(values, 0))
        u_plain = np.linalg.svd(w, full_matrices=False)[0]
        u_samples = np.linalg.svd(w @ x.T, full_matrices=False)[0]
        u_gram = np.linalg.svd(w @ root, full_matrices=False)[0]
        under = lambda d: float(np.sum((d @ c) * d))
        result["ranks"][name] = ranks
        result["plain"][name] = record(w, u_plain, ranks, squared, None)
        result["samples"][name] = record(w, u_samples, ranks, lambda d: squared(d @ x.T), h)
        result["gram"][name] = record(w, u_gram, ranks, under, h)
        keep_rank = math.floor(0.6 * m * n / (m + n))
        whitened = record(w, u_gram, [0, keep_rank], under, h)
        plain = record(w, u_plain, [0, keep_rank], under, h)
        for key, losses in (("relativeLoss", whitened["loss"]), ("heldOutRelativeLoss", whitened["heldOutLoss"]),
                            ("baselineRelativeLoss", plain["loss"]), ("baselineHeldOutRelativeLoss", plain["heldOutLoss"])):
            means[key].append(losses[1] / losses[0])
result["uniformAtKeep0.6"] = {key: float(np.mean(values)) for key, values in means.items()}
(here / "cli_losses.json").write_text(json.dumps(result, indent=1) + "\n")
