#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes factor_training.npz: two AdamW steps on factors in the place of all linear operators of a small Qwen2, by PyTorch in
double (autograd, torch.optim.AdamW, clip_grad_norm_), once for next tokens and once for the dense model's outputs.

The start is a formula that tests/core/lowrank/tst_factor_training.cpp repeats: with e the position of the operator in the
order of execution, B[i, k] = 0.3 sin(1.7 (i r + k) + e), A[k, j] = 0.3 cos(1.3 (k n + j) + e); biases are the model's.
<case>.loss: before each step, and after the last; <case>.g.<parameter>: gradients of the first loss;
<case>.a.<parameter>: parameters after the steps. Cases: task, distilled (temperature 2).

usage: /usr/bin/python3 tests/golden/make_factor_training_golden.py     (from the root of the source tree)
"""
import json
import pathlib

import numpy as np
import torch
from torch.nn import functional as F

from models_common import Net, read_safetensors
from models_decoders import llama

VARIANT, RANK, RATE, CLIP, TEMPERATURE = "qwen2_tied", 3, 0.01, 0.5, 2.0
FOLDER = pathlib.Path(__file__).resolve().parent
config = json.loads((FOLDER / "models" / VARIANT / "config.json").read_text())
tensors = {k: torch.from_numpy(v.astype(np.float64)) for k, v in read_safetensors(FOLDER / "models" / VARIANT / "model.safetensors").items()}
ids = torch.from_numpy(np.load(FOLDER / "models" / VARIANT / "golden.npz")["input_ids"])


class FactorNet(Net):
    """A Net whose linear operators are factors; without factors, they are made first."""

    def __init__(self, factors=None):
        super().__init__(tensors=tensors)
        self.factors = factors

    def keep(self, name, value):
        self.record[name] = value

    def linear(self, name, x, out, bias=True, weight=None, seen=None):
        if weight is not None or self.factors is None:
            return super().linear(name, x, out, bias, weight, seen)
        if name + ".b" not in self.factors:
            e, n = sum(k.endswith(".b") for k in self.factors), x.shape[-1]
            i, k, j = torch.arange(out)[:, None], torch.arange(RANK), torch.arange(n)
            self.factors[name + ".b"] = (0.3 * torch.sin(1.7 * (i * RANK + k) + e)).double().requires_grad_()
            self.factors[name + ".a"] = (0.3 * torch.cos(1.3 * (k[:, None] * n + j) + e)).double().requires_grad_()
            if bias:
                self.factors[name + ".bias"] = self.tensor(name + ".bias", (out,), "bias").clone().requires_grad_()
        y = x @ self.factors[name + ".a"].T @ self.factors[name + ".b"].T
        return y + self.factors[name + ".bias"] if bias else y


def logits(factors):
    net = FactorNet(factors)
    llama(net, config, {"input_ids": ids})
    return net.record["logits"]


def task(y):
    return F.cross_entropy(y[:, :-1].reshape(-1, y.shape[-1]), ids[:, 1:].reshape(-1))


def distilled(y):
    with torch.no_grad():
        dense = logits(None)
    soft = [F.log_softmax(z.reshape(-1, z.shape[-1]) / TEMPERATURE, -1) for z in (y, dense)]
    return TEMPERATURE ** 2 * F.kl_div(*soft, log_target=True, reduction="batchmean")


# angles in double: the sines of a float product would not be those of the other side
torch.set_default_dtype(torch.float64)
out = {}
for case, loss_of in (("task", task), ("distilled", distilled)):
    factors = {}
    logits(factors)  # makes them
    decaying = [v for k, v in factors.items() if not k.endswith(".bias")]
    optimiser = torch.optim.AdamW([{"params": decaying, "weight_decay": 0.01},
                                   {"params": [v for k, v in factors.items() if k.endswith(".bias")], "weight_decay": 0.0}], lr=RATE)
    losses = []
    for step in range(2):
        optimiser.zero_grad()
        loss = loss_of(logits(factors))
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            out.update({f"{case}.g.{k}": v.grad.numpy().copy() for k, v in factors.items()})
        torch.nn.utils.clip_grad_norm_(factors.values(), CLIP)
        optimiser.step()
    losses.append(loss_of(logits(factors)).item())
    print(case, losses)
    out[case + ".loss"] = np.array(losses)
    out.update({f"{case}.a.{k}": v.detach().numpy() for k, v in factors.items()})
np.savez_compressed(FOLDER / "factor_training.npz", **out)
