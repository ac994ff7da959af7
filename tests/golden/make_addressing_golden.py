#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""References of sparse addressing, by plain NumPy in double: addressing_golden.npz.

    python3 tests/golden/make_addressing_golden.py

Product keys are searched over all products, values are solved for densely, statistics are written as their definitions are.
"""
import pathlib

import numpy as np

random = np.random.default_rng(11)
ROWS, WIDTH, OUT, N, K, EXPERTS, ACTIVE = 200, 10, 7, 9, 6, 12, 3
TEMPERATURE, RIDGE = 1.7, 0.8


def nearness(keys, x):
    return x @ keys.T - 0.5 * (keys ** 2).sum(axis=1)


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def solved(cells, weights, count, y):
    g = np.zeros((len(y), count))
    for t in range(len(y)):
        g[t, cells[t]] = weights[t]
    mean = y.mean(axis=0)
    values = np.linalg.solve(g.T @ g + RIDGE * np.eye(count), g.T @ (y - mean))
    return g, mean, values


x = random.normal(size=(ROWS, WIDTH)).astype(np.float32)
y = (np.tanh(x.astype(float) @ random.normal(size=(WIDTH, OUT))) + 0.1 * random.normal(size=(ROWS, OUT))).astype(np.float32)
first = random.normal(size=(N, WIDTH // 2)).astype(np.float32)
second = random.normal(size=(N, WIDTH - WIDTH // 2)).astype(np.float32)
keys = random.normal(size=(EXPERTS, WIDTH)).astype(np.float32)
xd, yd = x.astype(float), y.astype(float)

# Product keys: all N N sums, sorted.
products = nearness(first.astype(float), xd[:, :WIDTH // 2])[:, :, None] + nearness(second.astype(float), xd[:, WIDTH // 2:])[:, None, :]
flat = products.reshape(ROWS, N * N)
cells = np.argsort(-flat, axis=1, kind="stable")[:, :K]
weights = softmax(np.take_along_axis(flat, cells, axis=1) / TEMPERATURE)
g, mean, values = solved(cells, weights, N * N, yd)
guess = mean + g @ values
fvu = ((yd - guess) ** 2).sum() / ((yd - yd.mean(axis=0)) ** 2).sum()
# v_e, component by component: mean over rows of (w (guess - y))^2.
fisher = np.sqrt([((g[:, [e]] * (guess - yd)) ** 2).mean(axis=0).sum() for e in range(N * N)])

# A mixture: top-e of a softmax, renormalised.
z = nearness(keys.astype(float), xd) / TEMPERATURE
experts = np.argsort(-z, axis=1, kind="stable")[:, :ACTIVE]
p = np.take_along_axis(softmax(z), experts, axis=1)
shares = p / p.sum(axis=1, keepdims=True)
count = np.bincount(experts.ravel(), minlength=EXPERTS)
load = count / ROWS
q = count / count.sum()
gini = np.abs(load[:, None] - load[None, :]).sum() / (2 * EXPERTS ** 2 * load.mean())
sets = [set(row) for row in experts.tolist()]
jaccard = np.mean([len(a & b) / len(a | b) for a, b in zip(sets, sets[1:])])
statistics = [(-shares * np.log(shares)).sum(axis=1).mean(), -(q[q > 0] * np.log(q[q > 0])).sum() / np.log(EXPERTS), load.max() / load.mean(), gini, jaccard]
reuse, held = [], []
for key in experts.ravel().tolist():
    reuse.append(held.index(key) if key in held else -1)
    if key in held:
        held.remove(key)
    held.insert(0, key)

# ReLU gates with a threshold that leaves ACTIVE a row on average.
threshold = np.sort(z.ravel())[::-1][ROWS * ACTIVE]
gates = np.maximum(z - threshold, 0)

affine = np.linalg.lstsq(np.hstack([xd, np.ones((ROWS, 1))]), yd, rcond=None)[0]
residual = yd - np.hstack([xd, np.ones((ROWS, 1))]) @ affine

np.savez(pathlib.Path(__file__).parent / "addressing_golden.npz", x=x, y=y, first=first, second=second, keys=keys, cells=cells.astype(np.int32), weights=weights, values=values,
         fvu=np.array([fvu, (residual ** 2).sum() / ((yd - yd.mean(axis=0)) ** 2).sum()]), fisher=fisher, experts=experts.astype(np.int32), shares=shares, load=load, statistics=np.array(statistics),
         reuse=np.array(reuse, dtype=np.int32), gates=gates, threshold=np.array([threshold]), settings=np.array([N, K, EXPERTS, ACTIVE, TEMPERATURE, RIDGE]))
