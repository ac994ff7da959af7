#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attention of one head by the rules of core/attention, in double, from their quadratic forms: writes attention_golden.npz beside itself.
Run with Debian's python3-numpy. Every rule is written as a map M (out = M v); nothing is shared with the C++ side but the formulas."""
import pathlib
import numpy as np

N, D, W = 150, 16, 12  # more rows than two of the blocks that causal rules go by, and no multiple of them
SCALE = 0.25


def softmax(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def features(x, kind):
    x = np.sqrt(SCALE) * x
    return {"elu+1": np.where(x > 0, x + 1, np.exp(np.minimum(x, 0))), "relu": np.maximum(x, 0), "squared-relu": np.maximum(x, 0) ** 2}[kind]


def linear(q, k, kind, causal):
    m = features(q, kind) @ features(k, kind).T
    seen = np.tril(np.ones_like(m)) if causal else np.ones_like(m)
    m = m * seen
    m = np.where(m.sum(axis=1, keepdims=True) == 0, seen, m)  # no feature in common with any key: the mean of the values that are seen
    return m / m.sum(axis=1, keepdims=True)


def blind(q, k):
    """Queries and keys of which some see no feature: the first keys have none, nor have some queries in the first, the second and the third block of 64."""
    q, k = q.copy(), k.copy()
    k[:9] = -np.abs(k[:9])
    for i in (0, 40, 63, 64, 100, 149):
        q[i] = -np.abs(q[i])
    return q, k


def pool(n, m):
    p = np.zeros((m, n))
    for i in range(m):
        first, end = i * n // m, (i + 1) * n // m
        p[i, first:end] = 1 / (end - first)
    return p


def linformer(q, k, rows):
    p = pool(N, rows)
    return softmax(SCALE * q @ (p @ k).T) @ p


def nystrom(q, k, m, iterations):
    p = pool(N, m)
    ql, kl = p @ q, p @ k
    a = softmax(SCALE * ql @ kl.T)
    if iterations is None:
        inverse = np.linalg.pinv(a)
    else:
        inverse = a.T / (np.abs(a).sum(axis=0).max() * np.abs(a).sum(axis=1).max())
        eye = np.eye(m)
        for _ in range(iterations):
            az = a @ inverse
            inverse = 0.25 * inverse @ (13 * eye - az @ (15 * eye - az @ (7 * eye - az)))
    return softmax(SCALE * q @ kl.T) @ inverse @ softmax(SCALE * ql @ k.T)


def band(q, k, reach, first, causal, sliding=0):
    i, j = np.indices((N, N))
    seen = (np.abs(i - j) <= reach) | (j < first) | (i < first)
    if causal:
        seen &= j <= i
    if sliding:
        seen &= j > i - sliding
    return softmax(np.where(seen, SCALE * q @ k.T, -np.inf))


def main():
    rng = np.random.default_rng(20)
    q, k = (rng.normal(size=(N, D)).astype(np.float32) for _ in range(2))
    v = rng.normal(size=(N, W)).astype(np.float32)
    q64, k64, v64 = q.astype(float), k.astype(float), v.astype(float)
    arrays = {"q": q, "k": k, "v": v}
    q_blind, k_blind = blind(q, k)
    arrays |= {"q.blind": q_blind, "k.blind": k_blind}
    for kind in ("elu+1", "relu", "squared-relu"):
        for causal in (False, True):
            name = f"linear.{kind}.{'causal' if causal else 'all'}"
            arrays[name] = linear(q64, k64, kind, causal) @ v64
            if kind != "elu+1":
                arrays[name + ".blind"] = linear(q_blind.astype(float), k_blind.astype(float), kind, causal) @ v64
    for rows in (1, 8, 150):
        arrays[f"linformer.{rows}"] = linformer(q64, k64, rows) @ v64
    for m, iterations in ((8, 6), (8, 30), (31, 6)):
        arrays[f"nystrom.{m}.{iterations}"] = nystrom(q64, k64, m, iterations) @ v64
    arrays["nystrom.8.pinv"] = nystrom(q64, k64, 8, None) @ v64
    for reach, first, causal, sliding in ((5, 0, False, 0), (5, 2, False, 0), (40, 70, False, 0), (5, 2, True, 0), (20, 2, True, 9), (149, 0, True, 0), (149, 0, False, 0)):
        arrays[f"band.{reach}.{first}.{'causal' if causal else 'all'}.{sliding}"] = band(q64, k64, reach, first, causal, sliding) @ v64
    np.savez(pathlib.Path(__file__).parent / "attention_golden.npz", **arrays)


if __name__ == "__main__":
    main()
