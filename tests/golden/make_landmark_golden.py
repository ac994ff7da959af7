#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nystrom attention, attention of cosines and sines and chosen keys with their gradients by PyTorch's autograd, in double, for tests/core/train/tst_landmark_ops.cpp.
   /usr/bin/python3 tests/golden/make_landmark_golden.py tests/golden/landmark_golden.npz"""
import sys

import numpy as np
import torch

torch.manual_seed(3)
torch.set_default_dtype(torch.float64)
SEQUENCES, HEADS, TOKENS, LANDMARKS, DIM, ITERATIONS, FEATURES = 2, 2, 12, 4, 3, 5, 6
SCALE = 0.7
out = {}


def leaf(*shape):
    return torch.randn(*shape, requires_grad=True)


def heads(x, width):  # [s n, h d] -> [s, h, n, d]
    return x.reshape(SEQUENCES, -1, HEADS, width).transpose(1, 2)


def rows(x):  # back
    return x.transpose(1, 2).reshape(x.shape[0] * x.shape[2], -1)


def keep(name, value, weight, leaves):
    (value * weight).sum().backward()
    out[name + ".y"], out[name + ".w"] = value.detach().numpy(), weight.numpy()
    for key, tensor in leaves.items():
        out[f"{name}.{key}"], out[f"{name}.d{key}"] = tensor.detach().numpy(), tensor.grad.numpy()


def inverse(a):
    z = a.transpose(-1, -2) / (a.abs().sum(-1).amax(-1)[..., None, None] * a.abs().sum(-2).amax(-1)[..., None, None])
    eye = torch.eye(a.shape[-1])
    for _ in range(ITERATIONS):
        p = a @ z
        z = 0.25 * z @ (13 * eye - p @ (15 * eye - p @ (7 * eye - p)))
    return z


# The products alone, of squares that are no softmax.
a, x = leaf(SEQUENCES * LANDMARKS, HEADS * LANDMARKS), leaf(SEQUENCES * LANDMARKS, HEADS * DIM)
y = rows(inverse(heads(a, LANDMARKS)) @ heads(x, DIM))
keep("inverse", y, torch.randn(y.shape), {"a": a, "x": x})

# All of Nystrom: means over segments, as floor(i N / m).
q, k, v = leaf(SEQUENCES * TOKENS, HEADS * DIM), leaf(SEQUENCES * TOKENS, HEADS * DIM), leaf(SEQUENCES * TOKENS, HEADS * DIM)
pool = torch.zeros(LANDMARKS, TOKENS)
for i in range(LANDMARKS):
    first, last = i * TOKENS // LANDMARKS, (i + 1) * TOKENS // LANDMARKS
    pool[i, first:last] = 1 / (last - first)
Q, K, V = heads(q, DIM), heads(k, DIM), heads(v, DIM)
lq, lk = pool @ Q, pool @ K
soft = lambda left, right: torch.softmax(SCALE * left @ right.transpose(-1, -2), -1)
y = rows(soft(Q, lk) @ inverse(soft(lq, lk)) @ (soft(lq, K) @ V))
keep("nystrom", y, torch.randn(y.shape), {"q": q, "k": k, "v": v})

# Cosines and sines, causal; small rows, for estimates near 0 make quotients steep.
q, k, v = (0.4 * torch.randn(SEQUENCES * TOKENS, HEADS * DIM)).requires_grad_(), (0.4 * torch.randn(SEQUENCES * TOKENS, HEADS * DIM)).requires_grad_(), leaf(SEQUENCES * TOKENS, HEADS * DIM)
w = torch.randn(FEATURES, DIM)
out["trigonometric.directions"] = w.numpy()
feature = lambda x: torch.cat((torch.cos(x @ w.T), torch.sin(x @ w.T)), -1)
Q, K = SCALE**0.5 * heads(q, DIM), SCALE**0.5 * heads(k, DIM)
p = feature(Q) @ (feature(K) * torch.exp((K**2).sum(-1, keepdim=True) / 2)).transpose(-1, -2)
p = p * torch.tril(torch.ones(TOKENS, TOKENS))
y = rows((p / p.sum(-1, keepdim=True)) @ heads(v, DIM))
keep("trigonometric", y, torch.randn(y.shape), {"q": q, "k": k, "v": v})
np.savez_compressed(sys.argv[1], **out)
