#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses, gradients and three AdamW steps of a small net with every operation, by PyTorch in double: train_golden.npz.

The net is written down twice: here with PyTorch's own operations (autograd, torch.optim.AdamW, clip_grad_norm_,
LambdaLR) and in tests/core/train/tst_train_golden.cpp with the tape's. p.NAME: initial parameters, g.NAME: gradients of the
first loss, a.NAME: parameters after the steps; losses, norms: of each step; everything else: inputs."""
import math
import pathlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(20240917)
SEQUENCES, TOKENS, WIDTH, HEADS, HIDDEN, CLASSES, VOCABULARY = 2, 5, 8, 2, 12, 4, 11
N = TOKENS + 1  # with the class token

shapes = {
    "embedding": (VOCABULARY, WIDTH), "class_token": (1, WIDTH), "positions": (N, WIDTH),
    "norm1.weight": (WIDTH,), "norm1.bias": (WIDTH,), "qkv.weight": (3 * WIDTH, WIDTH), "qkv.bias": (3 * WIDTH,),
    "attention_bias": (HEADS * N, N), "proj.weight": (WIDTH, WIDTH), "proj.bias": (WIDTH,),
    "norm2.weight": (WIDTH,), "gate.weight": (HIDDEN, WIDTH), "up.weight": (HIDDEN, WIDTH), "down.weight": (WIDTH, HIDDEN), "layer_scale": (WIDTH,),
    "q.weight": (WIDTH, WIDTH), "k.weight": (WIDTH // 2, WIDTH), "v.weight": (WIDTH // 2, WIDTH), "q_norm.weight": (WIDTH // HEADS,),
    "out.b": (WIDTH, 3), "out.a": (3, WIDTH), "out.bias": (WIDTH,),
    "fc1.weight": (HIDDEN, WIDTH), "fc1.bias": (HIDDEN,), "fc2.weight": (WIDTH, HIDDEN), "mix.weight": (WIDTH, WIDTH), "router.weight": (WIDTH, WIDTH),
    "decoder": (WIDTH, WIDTH), "rank": (1,), "gates": (WIDTH,), "head.weight": (CLASSES, WIDTH), "head.bias": (CLASSES,),
}
p = {name: nn.Parameter(torch.randn(shape) * (0.4 if len(shape) > 1 else 0.2) + (1.0 if "norm" in name and name.endswith("weight") else 0.0))
     for name, shape in shapes.items()}
with torch.no_grad():
    p["rank"].fill_(3.4)
decays = [name for name, shape in shapes.items() if len(shape) > 1]
ids = torch.randint(0, VOCABULARY, (SEQUENCES, TOKENS))
labels = torch.tensor([2, 0])
teacher = torch.randn(SEQUENCES, CLASSES) * 2
target = torch.randn(SEQUENCES, WIDTH)
angles = torch.arange(N)[:, None] * torch.tensor([1.0, 0.1])
cosines, sines = angles.cos(), angles.sin()


def rms(x, weight):
    return x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * weight


def rotate(x):  # [.., N, head]
    first, second = x.chunk(2, -1)
    return torch.cat([first * cosines - second * sines, second * cosines + first * sines], -1)


def heads_of(x, heads):
    return x.reshape(SEQUENCES, N, heads, -1).transpose(1, 2)


def joined(x):
    return x.transpose(1, 2).reshape(SEQUENCES, N, -1)


def network():
    x = torch.cat([p["class_token"].expand(SEQUENCES, 1, WIDTH), p["embedding"][ids]], 1) + p["positions"]
    # a ViT block with an additive bias
    y = F.layer_norm(x, (WIDTH,), p["norm1.weight"], p["norm1.bias"], 1e-5)
    q, k, v = (heads_of(t, HEADS) for t in F.linear(y, p["qkv.weight"], p["qkv.bias"]).chunk(3, -1))
    scores = q @ k.transpose(-1, -2) / math.sqrt(WIDTH // HEADS) + p["attention_bias"].reshape(HEADS, N, N)
    x = x + F.linear(joined(scores.softmax(-1) @ v), p["proj.weight"], p["proj.bias"])
    y = rms(x, p["norm2.weight"])
    x = x + p["layer_scale"] * F.linear(F.silu(F.linear(y, p["gate.weight"])) * F.linear(y, p["up.weight"]), p["down.weight"])
    # a decoder block: q norm, rotary positions, grouped queries, causal; a low-rank output
    q, k, v = (heads_of(F.linear(x, p[name + ".weight"]), heads) for name, heads in (("q", HEADS), ("k", 1), ("v", 1)))
    q, k = rotate(rms(q, p["q_norm.weight"])), rotate(k)
    scores = (q @ k.transpose(-1, -2) / math.sqrt(WIDTH // HEADS)).masked_fill(torch.ones(N, N).triu(1).bool(), -math.inf)
    x = x + F.linear(F.linear(joined(scores.softmax(-1) @ v), p["out.a"]), p["out.b"], p["out.bias"])
    # every activation
    y = F.gelu(F.linear(x, p["fc1.weight"], p["fc1.bias"]), approximate="tanh")
    y = F.linear(y, p["fc2.weight"])
    y = F.gelu(F.linear(y, p["mix.weight"])) + torch.tanh(x) * torch.sigmoid(y) - 0.5 * F.relu(y) + y * torch.sigmoid(1.702 * y)
    x = x + y * F.linear(x, p["router.weight"]).softmax(-1)
    # the largest three, decoded by a matrix of soft rank
    values, places = x.topk(3, -1)
    x = x + torch.zeros_like(x).scatter(-1, places, values) @ soft_rank(p["decoder"])
    x = x * torch.clamp(torch.sigmoid(p["gates"]) * 1.2 - 0.1, 0, 1)
    pooled = x[:, 0] + x[:, 1:].mean(1)
    return pooled, F.linear(pooled, p["head.weight"], p["head.bias"])


def soft_rank(matrix):
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    gates = 0.5 * torch.tanh(2.0 * (p["rank"] - torch.arange(1, WIDTH + 1))) + 0.5
    return (u * (s * gates)) @ vt


def loss_of():
    pooled, logits = network()
    temperature = 2.0
    teaching = F.kl_div(F.log_softmax(logits / temperature, -1), F.softmax(teacher / temperature, -1), reduction="batchmean") * temperature ** 2
    open_gates = torch.sigmoid(p["gates"] - 2.0 / 3.0 * math.log(0.1 / 1.1)).sum()
    return (F.cross_entropy(logits, labels, label_smoothing=0.1) + 0.5 * teaching + 0.3 * F.mse_loss(pooled, target) + 0.01 * open_gates
            + 0.001 * p["head.weight"].pow(2).sum())


STEPS, PEAK, FLOOR, WARM_UP, CLIP = 3, 0.01, 0.001, 1, 0.5


def rate(step):
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    way = (step - WARM_UP) / (STEPS - 1 - WARM_UP)
    return (FLOOR + (PEAK - FLOOR) * 0.5 * (1 + math.cos(math.pi * way))) / PEAK


out = {"ids": ids.numpy(), "labels": labels.numpy(), "teacher": teacher.numpy(), "target": target.numpy(), "cosines": cosines.numpy(), "sines": sines.numpy()}
for name, value in p.items():
    out["p." + name] = value.detach().numpy().copy()
optimiser = torch.optim.AdamW([{"params": [p[n] for n in decays], "weight_decay": 0.05}, {"params": [p[n] for n in p if n not in decays], "weight_decay": 0.0}],
                              lr=PEAK, betas=(0.9, 0.95), eps=1e-8)
schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
losses, norms = [], []
for step in range(STEPS):
    optimiser.zero_grad()
    loss = loss_of()
    loss.backward()
    if step == 0:
        for name, value in p.items():
            out["g." + name] = value.grad.numpy().copy()
    losses.append(loss.item())
    norms.append(float(torch.nn.utils.clip_grad_norm_(p.values(), CLIP)))
    optimiser.step()
    schedule.step()
assert min(norms) > CLIP, "the clipping must matter"
for name, value in p.items():
    out["a." + name] = value.detach().numpy().copy()
out["losses"], out["norms"] = np.array(losses), np.array(norms)

# SGD with momentum and decay on a quadratic, and label smoothing with an ignored row
w = nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))
out["sgd.start"] = w.detach().numpy().copy()
sgd = torch.optim.SGD([w], lr=0.1, momentum=0.9, weight_decay=0.02)
for _ in range(4):
    sgd.zero_grad()
    (w.pow(2).sum() + w.sum()).backward()
    sgd.step()
out["sgd.end"] = w.detach().numpy().copy()
logits = torch.randn(5, 7, requires_grad=True)
some = torch.tensor([3, -1, 0, 6, -1])
smooth = F.cross_entropy(logits, some, ignore_index=-1, label_smoothing=0.2)
smooth.backward()
out.update({"smooth.logits": logits.detach().numpy(), "smooth.labels": some.numpy(), "smooth.loss": np.array([smooth.item()]), "smooth.gradient": logits.grad.numpy()})
np.savez(pathlib.Path(__file__).resolve().parent / "train_golden.npz", **out)
print("losses", losses, "norms", norms)
