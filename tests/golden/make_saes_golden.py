#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes saes_golden.npz: the cumulative-error target (CEALC) and its adaptive beta (ACES) by NumPy's full SVD and explicit
projectors, through the symmetric whitener H^{-1/2} of the paper instead of the Cholesky root that Tamis divides by.

usage: /usr/bin/python3 tests/golden/make_saes_golden.py     (from the root of the source tree)
"""
import numpy as np

rng = np.random.default_rng(20260203)
out = {}


def case(name, m, n, tokens, rank, ridge):
    w = rng.standard_normal((m, n)).astype(np.float32).astype(np.float64)
    mix = rng.standard_normal((n, n)) * (0.8 ** np.arange(n))
    x = (mix @ rng.standard_normal((n, tokens))).astype(np.float32).astype(np.float64)
    xf = (x * 1.1 + 0.3 * rng.standard_normal((n, n)) @ x / np.sqrt(n) + 0.2 * rng.standard_normal((n, tokens))).astype(np.float32).astype(np.float64)
    h = x @ x.T
    h += ridge * np.trace(h) / n * np.eye(n)
    delta = (xf - x) @ x.T
    values, vectors = np.linalg.eigh(h)
    whitener = vectors @ np.diag(values ** -0.5) @ vectors.T
    s, d = w @ h @ whitener, w @ delta @ whitener
    u, sigma, vt = np.linalg.svd(s, full_matrices=False)
    pl, pr = np.eye(m) - u[:, :rank] @ u[:, :rank].T, np.eye(n) - vt[:rank].T @ vt[:rank]
    s2, d2 = pl @ s @ pr, pl @ d @ pr
    six = [np.sum(s2 * s2), np.sum(s2 * d2), np.sum(d2 * d2), np.sum(s * s), np.sum(s * d), np.sum(d * d)]
    grid = np.linspace(0.25, 0.75, 2_000_001)  # a spacing of 2.5e-7
    rho = (six[0] + 2 * six[1] * grid + six[2] * grid ** 2) / (six[3] + 2 * six[4] * grid + six[5] * grid ** 2)
    normd = np.linalg.norm(d, 2)
    out[f"{name}.w"], out[f"{name}.x"], out[f"{name}.xf"] = w, x, xf
    out[f"{name}.scalars"] = np.array(six + [grid[np.argmin(rho)], normd, sigma[rank - 1] - sigma[rank], rank, ridge])
    for beta in (0.0, 0.5, 1.0):
        u, sigma, vt = np.linalg.svd(w @ (h + beta * delta) @ whitener, full_matrices=False)
        product = (u[:, :rank] * sigma[:rank]) @ vt[:rank] @ whitener
        out[f"{name}.product{beta}"] = product
        losses = [np.sum((product @ x - w @ x) ** 2), np.sum((product @ x - w @ xf) ** 2)]
        out[f"{name}.losses{beta}"] = np.array(losses)


case("tall", 30, 18, 90, 6, 0.0)
case("wide", 14, 25, 80, 5, 1e-3)
case("few", 20, 24, 12, 5, 1e-2)  # fewer tokens than inputs
np.savez("tests/golden/saes_golden.npz", **out)
