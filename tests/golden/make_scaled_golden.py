#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes scaled_golden.tsv: losses of the scaled SVD (ASVD) on datasets/vit20 by NumPy and h5py, by the authors' route (full
SVD of W D, truncation, division by D) and from the residual matrix itself.

usage: /usr/bin/python3 tests/golden/make_scaled_golden.py     (from the root of the source tree)
"""
import h5py
import numpy as np

from make_spectrum_golden import CALIBRATION, MODEL, tensors

OUT = "tests/golden/scaled_golden.tsv"
NAMES = ["blocks.0.attn.qkv", "blocks.2.attn.proj", "blocks.3.mlp.fc1", "blocks.5.mlp.fc2"]
SETTINGS = [("abs-mean", 0.5), ("abs-mean", 1.0), ("abs-max", 0.5), ("rms", 1.0)]

weights = {name.removesuffix(".weight"): np.asarray(value, dtype=np.float64) for name, value in tensors(MODEL)}
with h5py.File(CALIBRATION) as file, open(OUT, "w") as out:
    out.write("# matrix\tscale\talpha\trank\tloss\theld out\n")
    for name in NAMES:
        site, w = file["sites"][name], weights[name]
        w = w.reshape(w.shape[0], -1)
        gram, count = site["gram"][...], int(site.attrs["count"])
        samples, held = site["samples"][...].astype(np.float64), site["heldout"][...].astype(np.float64)
        for kind, alpha in SETTINGS:
            s = {"abs-mean": np.abs(samples).mean(0), "abs-max": np.abs(samples).max(0), "rms": np.sqrt(np.diag(gram) / count)}[kind]
            d = s ** alpha + 1e-6
            u, sigma, vt = np.linalg.svd(w * d, full_matrices=False)
            for rank in (1, 16, 50, 100):
                residual = w - (u[:, :rank] * sigma[:rank]) @ vt[:rank] / d
                out.write(f"{name}\t{kind}\t{alpha}\t{rank}\t{np.sum((residual @ gram) * residual):.15e}\t{np.sum((held @ residual.T) ** 2):.15e}\n")
