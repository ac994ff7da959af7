#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a head does, from its map, in double: writes head_traits_golden.npz beside itself. Run with Debian's python3-numpy. Entropy, distance and
effective rank are written from their definitions; singular values come from LAPACK's SVD, not from an eigen-problem."""
import pathlib
import numpy as np

PREFIX, HEIGHT, WIDTH = 2, 5, 7
TEXT, WINDOW = 40, 9


def softmax(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return (e / e.sum(axis=1, keepdims=True)).astype(np.float32)


def entropy(p):
    p = p[p > 0]
    return -(p * np.log(p)).sum()


def traits(p, seen, distances, first, patches):
    """seen [N]: keys that each query may see; distances [N, N]; first: columns of the prefix mass; patches: rows and columns that have a place."""
    p = p.astype(np.float64)
    h = np.array([entropy(row) for row in p])
    some = seen > 1
    inner, d = p[patches, patches], distances[patches, patches]
    s = np.linalg.svd(p, compute_uv=False)
    return np.array([h.mean(), (h[some] / np.log(seen[some])).mean(), ((inner * d).sum(axis=1) / inner.sum(axis=1)).mean(), p[:, :first].sum(axis=1).mean(), np.exp(entropy(s / s.sum()))])


def main():
    rng = np.random.default_rng(11)
    n = PREFIX + HEIGHT * WIDTH
    photo = softmax(2.0 * rng.standard_normal((n, n)))
    places = np.full((n, 2), np.nan)
    places[PREFIX:] = [(r, c) for r in range(HEIGHT) for c in range(WIDTH)]
    across = np.sqrt(((places[:, None, :] - places[None, :, :]) ** 2).sum(axis=2))
    i, j = np.indices((TEXT, TEXT))
    scores = 1.5 * rng.standard_normal((TEXT, TEXT))
    causal = softmax(np.where(j <= i, scores, -np.inf))
    sliding = softmax(np.where((j <= i) & (j > i - WINDOW), scores, -np.inf))
    along, everyone = np.abs(i - j).astype(np.float64), np.arange(TEXT) + 1
    np.savez(pathlib.Path(__file__).parent / "head_traits_golden.npz", photo=photo, causal=causal, sliding=sliding,
             photo_traits=traits(photo, np.full(n, n), across, PREFIX, slice(PREFIX, None)),
             causal_traits=traits(causal, everyone, along, 1, slice(None)),
             sliding_traits=traits(sliding, np.minimum(everyone, WINDOW), along, 1, slice(None)))


if __name__ == "__main__":
    main()
