#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""One training step of a vision transformer in PyTorch: bench_torch_train.py MODEL.safetensors BATCH HEADS ROUNDS.

Forward, cross entropy, backward, AdamW, as torch.nn modules do it: nn.LayerNorm, nn.Linear, nn.GELU, attention by two
batched products and a softmax. Weights with timm's names. Prints one JSON object a line: first what ran, then the
seconds of each round after two to warm up, at last the loss of the very first step (the same images as Tamis draws).
Status 77: no PyTorch."""
import json
import struct
import sys
import time

try:
    import numpy as np
    import torch
    from torch import nn
except ImportError:
    sys.exit(77)


def read(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    return {name: torch.from_numpy(np.frombuffer(data[e["data_offsets"][0]:e["data_offsets"][1]], "<f4").reshape(e["shape"]).copy())
            for name, e in header.items() if name != "__metadata__"}


class Block(nn.Module):
    def __init__(self, width, hidden, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, hidden), "fc2": nn.Linear(hidden, width)})
        self.gelu = nn.GELU()

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.attn["qkv"](self.norm1(x)).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        p = (q @ k.transpose(-2, -1) * (d // self.heads) ** -0.5).softmax(-1)
        x = x + self.attn["proj"]((p @ v).transpose(1, 2).reshape(b, n, d))
        return x + self.mlp["fc2"](self.gelu(self.mlp["fc1"](self.norm2(x))))


class Vit(nn.Module):
    def __init__(self, weights, heads):
        super().__init__()
        width, channels, patch, _ = weights["patch_embed.proj.weight"].shape
        depth = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks."))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(weights["pos_embed"].shape))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(channels, width, patch, patch)})
        self.blocks = nn.ModuleList([Block(width, weights["blocks.0.mlp.fc1.weight"].shape[0], heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, weights["head.weight"].shape[0])
        self.load_state_dict(weights)

    def forward(self, images):
        x = self.patch_embed["proj"](images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], 1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


weights = read(sys.argv[1])
batch, heads, rounds = int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
model = Vit(weights, heads)
channels, patch = weights["patch_embed.proj.weight"].shape[1:3]
side = int(round((weights["pos_embed"].shape[1] - 1) ** 0.5)) * patch
# pixel i of the batch: a fixed pseudo-random sequence that any language can repeat exactly
index = np.arange(batch * channels * side * side, dtype=np.uint32)
images = torch.from_numpy((((index * np.uint32(2654435761)) >> np.uint32(8)).astype(np.float32) / np.float32(1 << 24) - np.float32(0.5))
                          .reshape(batch, channels, side, side))
labels = torch.arange(batch) % weights["head.weight"].shape[0]
optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads(), "parameters": sum(p.numel() for p in model.parameters())}))
first = None
for step in range(rounds + 2):
    start = time.perf_counter()
    optimiser.zero_grad(set_to_none=True)
    loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    optimiser.step()
    seconds = time.perf_counter() - start
    if first is None:
        first = loss.item()
    if step >= 2:
        print(json.dumps({"seconds": seconds}))
print(json.dumps({"loss": first}))
