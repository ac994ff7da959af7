#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times forward passes of random models in PyTorch: the peer of `tamis-cli bench forward`.

Usage: bench_torch_forward.py vit EMBED DEPTH HEADS PATCH IMAGE CLASSES BATCH ROUNDS
       bench_torch_forward.py llama WIDTH DEPTH HEADS HIDDEN VOCABULARY TOKENS ROUNDS
Several ways that PyTorch offers are timed, one after the other: eager modules, the fused encoder layer (ViT), and a
frozen trace optimised for inference. One JSON line each: {"way", "seconds"} with the best of ROUNDS passes.
Ends with status 77 where PyTorch is not installed."""
import json
import sys
import time

try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
except ImportError:
    print("PyTorch is not installed (python3-torch)", file=sys.stderr)
    sys.exit(77)


class Attention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.qkv, self.proj, self.heads = nn.Linear(d, 3 * d), nn.Linear(d, d), heads

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).reshape(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        p = ((q * (d // self.heads) ** -0.5) @ k.transpose(-2, -1)).softmax(-1)
        return self.proj((p @ v).transpose(1, 2).reshape(b, t, d))


class VitBlock(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.norm1, self.attn, self.norm2 = nn.LayerNorm(d, 1e-6), Attention(d, heads), nn.LayerNorm(d, 1e-6)
        self.fc1, self.fc2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class Vit(nn.Module):
    def __init__(self, d, depth, heads, patch, image, classes, fused):
        super().__init__()
        self.patch = nn.Conv2d(3, d, patch, patch)
        tokens = (image // patch) ** 2 + 1
        self.cls, self.pos = nn.Parameter(torch.randn(1, 1, d)), nn.Parameter(torch.randn(1, tokens, d))
        layer = (lambda: nn.TransformerEncoderLayer(d, heads, 4 * d, activation="gelu", batch_first=True, norm_first=True, dropout=0.0)) if fused else (lambda: VitBlock(d, heads))
        self.blocks = nn.ModuleList(layer() for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(d, 1e-6), nn.Linear(d, classes)

    def forward(self, image):
        x = self.patch(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.pos
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


class RmsNorm(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight


class LlamaBlock(nn.Module):
    def __init__(self, d, heads, hidden, tokens):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(d, d, bias=False) for _ in range(4))
        self.gate, self.up, self.down = nn.Linear(d, hidden, bias=False), nn.Linear(d, hidden, bias=False), nn.Linear(hidden, d, bias=False)
        self.norm1, self.norm2 = RmsNorm(d), RmsNorm(d)
        hd = d // heads
        angles = torch.outer(torch.arange(tokens).float(), 10000.0 ** (-torch.arange(0, hd, 2).float() / hd))
        angles = torch.cat([angles, angles], -1)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())
        self.register_buffer("mask", torch.full((tokens, tokens), float("-inf")).triu(1))

    def turn(self, x):
        half = x.shape[-1] // 2
        return x * self.cos + torch.cat([-x[..., half:], x[..., :half]], -1) * self.sin

    def forward(self, x):
        b, t, d = x.shape
        n = self.norm1(x)
        q, k, v = (f(n).reshape(b, t, self.heads, d // self.heads).transpose(1, 2) for f in (self.q, self.k, self.v))
        p = (self.turn(q) @ self.turn(k).transpose(-2, -1) * (d // self.heads) ** -0.5 + self.mask).softmax(-1)
        x = x + self.o((p @ v).transpose(1, 2).reshape(b, t, d))
        n = self.norm2(x)
        return x + self.down(F.silu(self.gate(n)) * self.up(n))


class Llama(nn.Module):
    def __init__(self, d, depth, heads, hidden, vocabulary, tokens):
        super().__init__()
        self.embed, self.norm, self.head = nn.Embedding(vocabulary, d), RmsNorm(d), nn.Linear(d, vocabulary, bias=False)
        self.blocks = nn.ModuleList(LlamaBlock(d, heads, hidden, tokens) for _ in range(depth))

    def forward(self, ids):
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def best(model, example, rounds):
    with torch.inference_mode():
        model(example)
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            model(example)
            times.append(time.perf_counter() - start)
    return min(times)


def report(way, model, example, rounds):
    print(json.dumps({"way": way, "seconds": best(model, example, rounds)}), flush=True)


def frozen(model, example):
    with torch.no_grad():
        return torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model.eval(), example)))


def main():
    torch.manual_seed(0)
    kind, numbers = sys.argv[1], [int(a) for a in sys.argv[2:]]
    if kind == "vit":
        d, depth, heads, patch, image, classes, batch, rounds = numbers
        example = torch.randn(batch, 3, image, image)
        make = lambda fused: Vit(d, depth, heads, patch, image, classes, fused).eval()
        report("fused encoder layers", make(True), example, rounds)
    else:
        d, depth, heads, hidden, vocabulary, tokens, rounds = numbers
        example = torch.randint(0, vocabulary, (1, tokens))
        make = lambda fused: Llama(d, depth, heads, hidden, vocabulary, tokens).eval()
    report("eager", make(False), example, rounds)
    try:
        report("frozen trace", frozen(make(False), example), example, rounds)
    except Exception as error:  # an old PyTorch may not optimise every graph
        print(json.dumps({"way": "frozen trace", "failed": str(error)[:200]}), flush=True)


main()
