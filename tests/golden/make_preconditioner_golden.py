#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes preconditioner_golden.tsv: losses of the local problem on datasets/vit20 under every preconditioner, by NumPy and h5py
and the published route: P as a matrix, its inverse, the SVD of W P cut at rank r, B A = U_r S_r V_r^T P^-1, and the loss from
the residual W - B A itself. The mean-squared output gradients, which that calibration set lacks, are g_i^2 = 1 + (37 i mod 101) / 50.

usage: /usr/bin/python3 tests/golden/make_preconditioner_golden.py     (from the root of the source tree)
"""
import h5py
import numpy as np

from make_spectrum_golden import CALIBRATION, MODEL, tensors

OUT = "tests/golden/preconditioner_golden.tsv"
NAMES = ["blocks.0.attn.qkv", "blocks.2.attn.proj", "blocks.5.mlp.fc2"]
ALPHA, RIDGE = 0.5, 1e-3


def preconditioner(kind, gram, count, samples, grads):
    """P [n, n] and the row weights g [m]."""
    n, ones = gram.shape[0], np.ones(len(grads))
    mean, largest = np.abs(samples).mean(0), np.abs(samples).max(0)
    ridged = gram + RIDGE * np.trace(gram) / n * np.eye(n)
    rms = np.sqrt(np.diag(gram) / count)
    fisher = np.sqrt(grads.mean()) * rms
    g = np.sqrt(grads)
    g = g + 1e-6 * g.mean()
    if kind == "identity":
        return np.eye(n), ones
    if kind == "abs-mean":
        return np.diag(mean**ALPHA + 1e-6), ones
    if kind == "abs-max":
        return np.diag(largest**ALPHA + 1e-6), ones
    if kind == "fisher":
        return np.diag(fisher**ALPHA + 1e-6), g
    if kind == "fisher-abs-mean":
        return np.diag((fisher * mean) ** ALPHA + 1e-6), g
    if kind == "diagonal-hessian":
        return np.diag(np.diag(np.linalg.inv(ridged)) ** -0.5), ones
    if kind == "diagonal-l1":
        return np.diag(mean), ones
    if kind == "diagonal-l2":
        return np.diag(np.sqrt(np.diag(gram))), ones
    values, q = np.linalg.eigh(ridged)
    if kind == "root-covariance":
        return (q * np.sqrt(values)) @ q.T, ones
    if kind == "cholesky":
        return np.linalg.cholesky(ridged), ones
    return q * np.sqrt(values), ones  # eigen, and what output PCA amounts to


KINDS = ["identity", "abs-mean", "abs-max", "fisher", "fisher-abs-mean", "diagonal-hessian", "diagonal-l1", "diagonal-l2",
         "root-covariance", "cholesky", "eigen", "output-pca"]

if __name__ == "__main__":
    weights = {name.removesuffix(".weight"): np.asarray(value, dtype=np.float64) for name, value in tensors(MODEL)}
    with h5py.File(CALIBRATION) as file, open(OUT, "w") as out:
        out.write("# matrix\tpreconditioner\trank\tloss\theld out\n")
        for name in NAMES:
            site, w = file["sites"][name], weights[name]
            gram, count = site["gram"][...], int(site.attrs["count"])
            samples, held = site["samples"][...].astype(np.float64), site["heldout"][...].astype(np.float64)
            grads = 1 + (37 * np.arange(w.shape[0]) % 101) / 50
            for kind in KINDS:
                p, g = preconditioner(kind, gram, count, samples, grads)
                u, sigma, vt = np.linalg.svd(g[:, None] * w @ p, full_matrices=False)
                for rank in (1, 16, 50, 100):
                    residual = w - (u[:, :rank] * sigma[:rank]) @ np.linalg.solve(p.T, vt[:rank].T).T / g[:, None]
                    out.write(f"{name}\t{kind}\t{rank}\t{np.sum((residual @ gram) * residual):.15e}\t{np.sum((held @ residual.T) ** 2):.15e}\n")
