#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""dobi_golden.npz: two steps of Adam on the ranks of two truncated layers, by PyTorch in double, and mean subspaces by NumPy.

The net is written down twice: here with torch.linalg.svd and autograd, and in tests/core/train/tst_truncation_op.cpp with the
tape's operations. sub.*: orthonormal rows of samples, their values, and the leading directions of the sums of their
projectors by numpy.linalg.eigh (rows; signs free)."""
import pathlib

import numpy as np
import torch
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(20250211)
SAMPLES, TOKENS, WIDTH, HIDDEN, CLASSES, BETA, WEIGHT, TARGET = 2, 5, 6, 7, 4, 2.0, 20.0, 0.35
x, w1, w2 = torch.randn(SAMPLES * TOKENS, WIDTH), torch.randn(HIDDEN, WIDTH) * 0.5, torch.randn(CLASSES, HIDDEN) * 0.5
bias = torch.randn(CLASSES)
labels = torch.randint(0, CLASSES, (SAMPLES * TOKENS,))
k = [torch.nn.Parameter(torch.tensor(2.3)), torch.nn.Parameter(torch.tensor(1.6))]
dense = HIDDEN * WIDTH + CLASSES * HIDDEN
shares = [(HIDDEN + WIDTH) / dense, (CLASSES + HIDDEN) / dense]
largest = [HIDDEN * WIDTH / (HIDDEN + WIDTH), CLASSES * HIDDEN / (CLASSES + HIDDEN)]


def truncated(a, rank):
    parts = []
    for sample in a.split(TOKENS):
        u, s, vh = torch.linalg.svd(sample, full_matrices=False)
        gates = 0.5 * torch.tanh(BETA * (rank - torch.arange(1, len(s) + 1))) + 0.5
        parts.append(u @ torch.diag(gates * s) @ vh)
    return torch.cat(parts)


def loss_of():
    hidden = torch.tanh(truncated(x @ w1.T, k[0]))
    task = F.cross_entropy(truncated(hidden @ w2.T, k[1]) + bias, labels)
    share = sum(c * (rank - 0.5) for c, rank in zip(shares, k))
    range_penalty = sum(F.relu(1 - (rank - 0.5)) ** 2 + F.relu(rank - 0.5 - most) ** 2 for rank, most in zip(k, largest))
    return task, torch.exp(task) + WEIGHT * torch.abs(share - TARGET) + range_penalty


out = {name: value.numpy() for name, value in {"x": x, "w1": w1, "w2": w2, "bias": bias, "labels": labels}.items()}
optimiser = torch.optim.Adam(k, lr=0.05)
tasks, gradients, ranks = [], [], []
for step in range(2):
    optimiser.zero_grad()
    task, loss = loss_of()
    loss.backward()
    tasks.append(task.item())
    gradients.append([rank.grad.item() for rank in k])
    optimiser.step()
    ranks.append([rank.item() for rank in k])
out |= {"tasks": np.array(tasks), "gradients": np.array(gradients), "ranks": np.array(ranks)}

rng = np.random.default_rng(7)
rows = [np.linalg.qr(rng.standard_normal((9, 3)) * [3, 2, 1])[0].T for _ in range(5)]
values = np.sort(rng.random((5, 3)) + 0.1)[:, ::-1]
out |= {"sub.rows": np.concatenate(rows), "sub.values": values}
for name, weights in (("equal", np.ones((5, 3))), ("weighted", values ** 2 / (values ** 2).sum(1, keepdims=True))):
    total = sum(r.T @ np.diag(w) @ r for r, w in zip(rows, weights))
    out[f"sub.{name}"] = np.linalg.eigh(total)[1][:, ::-1][:, :4].T
centre = sum(r.T @ r for r in rows) / 5
for _ in range(2000):  # Weiszfeld
    weights = np.array([1 / np.linalg.norm(r.T @ r - centre) for r in rows])
    centre = sum(w * (r.T @ r) for w, r in zip(weights / weights.sum(), rows))
out["sub.median"] = np.linalg.eigh(centre)[1][:, ::-1][:, :4].T
np.savez(pathlib.Path(__file__).with_name("dobi_golden.npz"), **out)
