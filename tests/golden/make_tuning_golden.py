#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps of a decoder trained around linear attention, by PyTorch in double: tuning_golden.npz.

tests/golden/models/qwen2_tied with elu + 1 in both blocks learns the logits of the same model with its own softmax attention: KL, means over
rows, torch.optim.AdamW (decay 0.01 of matrices), gradients clipped to norm 1, rates along half a cosine of 3 steps: peak, peak / 2, 0. The model is written down
here with PyTorch's own operations. w.NAME: weights after the steps; losses: of the steps; checks: on the sequence kept apart, before and after."""
import json
import math
import pathlib
import struct

import numpy as np
import torch
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(7)
here = pathlib.Path(__file__).parent
folder = here / "models" / "qwen2_tied"
config = json.loads((folder / "config.json").read_text())
raw = (folder / "model.safetensors").read_bytes()
(length,) = struct.unpack("<Q", raw[:8])
header = json.loads(raw[8:8 + length])
TYPES = {"F32": "<f4", "F64": "<f8", "F16": "<f2"}
p = {}
for name, entry in header.items():
    if name != "__metadata__":
        begin, end = entry["data_offsets"]
        values = np.frombuffer(raw[8 + length + begin:8 + length + end], TYPES[entry["dtype"]]).reshape(entry["shape"]).astype(np.float64)
        p[name] = torch.nn.Parameter(torch.tensor(values))
teacher = {name: value.detach().clone() for name, value in p.items()}
HEADS, KEYS, LAYERS, WIDTH = (config[key] for key in ("num_attention_heads", "num_key_value_heads", "num_hidden_layers", "hidden_size"))
DIM = WIDTH // HEADS
TOKENS = 12
PEAK = 1e-3
ids = torch.randint(0, config["vocab_size"], (3, TOKENS))  # the last is kept apart
angles = torch.arange(TOKENS)[:, None] * config["rope_theta"] ** -(torch.arange(0, DIM, 2) / DIM)
cos, sin = torch.cat([angles, angles], -1).cos(), torch.cat([angles, angles], -1).sin()
seen = torch.tril(torch.ones(TOKENS, TOKENS, dtype=torch.bool))


def rms(x, weight):
    return x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + config["rms_norm_eps"]) * weight


def heads_of(x, count):
    return x.reshape(x.shape[0], TOKENS, count, DIM).transpose(1, 2)


def rotate(x):
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


def softmax_map(q, k):
    return torch.softmax((q @ k.transpose(-1, -2) / math.sqrt(DIM)).masked_fill(~seen, -math.inf), -1)


def linear_map(q, k):
    f, g = (F.elu(x / DIM ** 0.25) + 1 for x in (q, k))
    weights = (f @ g.transpose(-1, -2)) * seen
    return weights / weights.sum(-1, keepdim=True)


def logits(w, tokens, attention_map):
    x = w["model.embed_tokens.weight"][tokens]
    for layer in range(LAYERS):
        n = f"model.layers.{layer}."
        y = rms(x, w[n + "input_layernorm.weight"])
        q, k, v = (F.linear(y, w[n + f"self_attn.{part}_proj.weight"], w[n + f"self_attn.{part}_proj.bias"]) for part in "qkv")
        q, k, v = rotate(heads_of(q, HEADS)), rotate(heads_of(k, KEYS)), heads_of(v, KEYS)
        k, v = (part.repeat_interleave(HEADS // KEYS, 1) for part in (k, v))
        mixed = (attention_map(q, k) @ v).transpose(1, 2).reshape(x.shape)
        x = x + F.linear(mixed, w[n + "self_attn.o_proj.weight"])
        y = rms(x, w[n + "post_attention_layernorm.weight"])
        y = F.silu(F.linear(y, w[n + "mlp.gate_proj.weight"])) * F.linear(y, w[n + "mlp.up_proj.weight"])
        x = x + F.linear(y, w[n + "mlp.down_proj.weight"])
    return rms(x, w["model.norm.weight"]) @ w["model.embed_tokens.weight"].T


def loss(tokens):
    target = torch.log_softmax(logits(teacher, tokens, softmax_map), -1)
    own = torch.log_softmax(logits(p, tokens, linear_map), -1)
    return (target.exp() * (target - own)).sum(-1).mean()


optimiser = torch.optim.AdamW([{"params": [value for value in p.values() if value.dim() > 1], "weight_decay": 0.01},
                               {"params": [value for value in p.values() if value.dim() == 1], "weight_decay": 0.0}], lr=PEAK)
losses, checks = [], [loss(ids[2:]).item()]
for rate in (PEAK, PEAK / 2, 0.0):
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad()
    value = loss(ids[:2])
    value.backward()
    torch.nn.utils.clip_grad_norm_(p.values(), 1.0)
    optimiser.step()
    losses.append(value.item())
checks.append(loss(ids[2:]).item())
print("losses", losses, "checks", checks)
np.savez(here / "tuning_golden.npz", ids=ids.numpy().astype(np.int32), losses=np.array(losses), checks=np.array(checks), first=logits({k: v for k, v in teacher.items()}, ids, linear_map).detach().numpy()[0],
         **{"w." + name: value.detach().numpy() for name, value in p.items()})
