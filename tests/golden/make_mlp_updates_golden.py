#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes mlp_updates.npz: two rounds of SparseLLM's alternation for low rank on a small ReLU MLP, by NumPy: least squares by
numpy.linalg.solve, truncation by the full SVD of W C^{1/2} with C^{1/2} from its eigenvectors, the hidden values by a dense
inverse. Inputs: x [t, n], up [h, n], up_bias, down [m, h], ranks, penalties (alpha, beta, gamma), damping. For each round k:
up.k, down.k (products of the factors), p.k, z.k, objective.k; error.k, the relative squared error of the MLP's output.

usage: /usr/bin/python3 tests/golden/make_mlp_updates_golden.py     (from the root of the source tree)
"""
import pathlib

import numpy as np

random = np.random.default_rng(7)
T, N, H, M, RANKS = 60, 6, 10, 5, (3, 2)
ALPHA, BETA, GAMMA, DAMPING = 0.2, 0.1, 0.15, 0.01
x = random.standard_normal((T, N)) * np.array([3, 2, 1, 1, 0.5, 0.2])
up, up_bias, down = random.standard_normal((H, N)), random.standard_normal(H) / 2, random.standard_normal((M, H))
out = {"x": x, "up": up, "up_bias": up_bias, "down": down, "ranks": np.array(RANKS), "penalties": np.array([ALPHA, BETA, GAMMA]), "damping": np.array([DAMPING])}


def relu(z):
    return np.maximum(z, 0)


def fit(inputs, target, prior, ridge, rank):
    c = inputs.T @ inputs + ridge * np.eye(inputs.shape[1])
    w = np.linalg.solve(c, inputs.T @ target + ridge * prior.T).T
    values, vectors = np.linalg.eigh(c)
    root = (vectors * np.sqrt(values)) @ vectors.T
    u, s, vt = np.linalg.svd(w @ root, full_matrices=False)
    return (u[:, :rank] * s[:rank]) @ vt[:rank] @ np.linalg.inv(root)


z = x @ up.T + up_bias
p = relu(z)
y = p @ down.T
input_ridge, hidden_ridge = DAMPING * np.trace(x.T @ x) / N, DAMPING * np.trace(p.T @ p) / H
for k in range(2):
    w1, w2 = fit(x, z - up_bias, up, input_ridge, RANKS[0]), fit(p, y, down, hidden_ridge, RANKS[1])
    p = (GAMMA * relu(z) + BETA * y @ w2) @ np.linalg.inv(GAMMA * np.eye(H) + BETA * w2.T @ w2)
    m = x @ w1.T + up_bias
    above, below = np.maximum((GAMMA * p + ALPHA * m) / (GAMMA + ALPHA), 0), np.minimum(m, 0)
    energy = [ALPHA * (v - m) ** 2 + GAMMA * (p - relu(v)) ** 2 for v in (above, below)]
    z = np.where(energy[0] < energy[1], above, below)
    objective = (ALPHA * (np.sum((z - m) ** 2) + input_ridge * np.sum((w1 - up) ** 2)) + GAMMA * np.sum((p - relu(z)) ** 2)
                 + BETA * (np.sum((p @ w2.T - y) ** 2) + hidden_ridge * np.sum((w2 - down) ** 2)))
    error = np.sum((relu(m) @ w2.T - y) ** 2) / np.sum(y ** 2)
    print(k, objective, error)
    out.update({f"up.{k}": w1, f"down.{k}": w2, f"p.{k}": p, f"z.{k}": z, f"objective.{k}": np.array([objective]), f"error.{k}": np.array([error])})
np.savez(pathlib.Path(__file__).resolve().parent / "mlp_updates.npz", **out)
