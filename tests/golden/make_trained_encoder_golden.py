#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes trained_encoder_golden.npz: two AdamW steps on low-rank factors that score the latents of a small autoencoder, by PyTorch in
double (autograd, torch.optim.AdamW, clip_grad_norm_), for every loss that encoders are trained with.

w [M, D], bias [M], decoder [M, D], decoder_bias [D], x [n, D], b [M, r], a [r, D]: the autoencoder, its inputs, the factors to start from.
latents [n, k], values [n, k]: the exact codes, padded with -1 and 0. energy, variance.<target>: what losses are divided by.
<case>.loss: before each step, and after the last; <case>.g.<parameter>: gradients of the first loss, before clipping;
<case>.p.<parameter>: parameters after the steps. Cases: codes, exact, input (reconstruction of either target), list, value.

usage: /usr/bin/python3 tests/golden/make_trained_encoder_golden.py
"""
import pathlib

import numpy as np
import torch

M, D, R, N, K, RATE, CLIP, TEMPERATURE = 40, 10, 4, 24, 3, 0.01, 0.5, 0.7
random = np.random.default_rng(5)
given = {
    "w": random.normal(size=(M, D)) / 3, "bias": random.normal(size=M) / 4 - 1.8, "decoder": random.normal(size=(M, D)) / 3,
    "decoder_bias": random.normal(size=D) / 5, "x": random.normal(size=(N, D)), "b": random.normal(size=(M, R)) / 2, "a": random.normal(size=(R, D)) / 2,
}
out = {name: value.astype(np.float32) for name, value in given.items()}
t = {name: torch.from_numpy(value.astype(np.float64)) for name, value in out.items()}
beta = torch.from_numpy((t["bias"] - t["w"] @ t["decoder_bias"]).numpy().astype(np.float32).astype(np.float64))  # the decoder's bias is subtracted

z, order = torch.sort(t["x"] @ t["w"].T + beta, dim=1, descending=True, stable=True)
z, order = z[:, :K], order[:, :K]
inside = z > 0
assert 3 < int((~inside).sum()) < N * K / 2 and (inside.sum(1) == 0).any(), "some rows should have fewer than k, one none"
out["latents"] = torch.where(inside, order, -1).numpy().astype(np.int32)
out["values"] = torch.where(inside, z, 0.0).numpy().astype(np.float32)
teacher = torch.zeros(N, M, dtype=torch.float64).scatter(1, order, torch.where(inside, z, 0.0))
member = torch.zeros(N, M, dtype=torch.bool).scatter(1, order, inside)
tau = torch.where(inside.all(1), z[:, -1], 0.0)[:, None]
energy = (teacher**2).sum(1).mean()
targets = {"exact": teacher @ t["decoder"], "input": t["x"] - t["decoder_bias"]}
variances = {name: ((y - y.mean(0)) ** 2).sum(1).mean() for name, y in targets.items()}
out["energy"] = np.array([energy.item()])
for name, value in variances.items():
    out["variance." + name] = np.array([value.item()])


def codes(s):
    return (torch.where(member, (s - teacher) ** 2, torch.relu(s - tau) ** 2)).sum(1).mean() / energy


def reconstruction(name):
    def loss(s):
        chosen = torch.topk(s, K, dim=1)
        kept = torch.zeros_like(s).scatter(1, chosen.indices, torch.relu(chosen.values))
        return ((kept @ t["decoder"] - targets[name]) ** 2).sum(1).mean() / variances[name]
    return loss


def listwise(s):
    log_p = torch.log_softmax(s / TEMPERATURE, dim=1)
    total = 0
    for row in range(N):
        if member[row].any():
            q = torch.softmax(teacher[row][member[row]] / TEMPERATURE, dim=0)
            total = total + torch.nn.functional.kl_div(log_p[row][member[row]], q, reduction="sum")
    return total / N


def value(s):
    return torch.where(member, (s - teacher) ** 2, 0.0).sum(1).mean() / energy


for case, loss in {"codes": codes, "exact": reconstruction("exact"), "input": reconstruction("input"), "list": listwise, "value": value}.items():
    parameters = {"b": t["b"].clone().requires_grad_(), "a": t["a"].clone().requires_grad_(), "bias": beta.clone().requires_grad_()}
    optimiser = torch.optim.AdamW(parameters.values(), lr=RATE, weight_decay=0)
    losses = []
    for step in range(3):
        optimiser.zero_grad()
        current = loss(t["x"] @ parameters["a"].T @ parameters["b"].T + parameters["bias"])
        losses.append(current.item())
        if step == 2:
            break
        current.backward()
        if step == 0:
            out |= {f"{case}.g.{name}": p.grad.numpy().copy() for name, p in parameters.items()}
        torch.nn.utils.clip_grad_norm_(parameters.values(), CLIP)
        optimiser.step()
    out[case + ".loss"] = np.array(losses)
    out |= {f"{case}.p.{name}": p.detach().numpy() for name, p in parameters.items()}
    print(case, losses)
np.savez(pathlib.Path(__file__).resolve().parent / "trained_encoder_golden.npz", **out)
