#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times a random vision transformer in PyTorch, whole and with tokens merged as ToMe does: the peer of `tamis-cli bench tokens`.

Usage: bench_torch_tokens.py EMBED DEPTH HEADS PATCH IMAGE BATCH MERGED ROUNDS
Written from Bolya et al. 2023 (arXiv 2210.09461): keys averaged over the heads and normalised, even tokens against odd ones, the r best edges merged by
size, proportional attention. One JSON line a way: {"way", "whole", "reduced"}, seconds, the best of ROUNDS passes each, in turn. Status 77: no PyTorch."""
import json
import math
import sys
import time

try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
except ImportError:
    print("PyTorch is not installed (python3-torch)", file=sys.stderr)
    sys.exit(77)


def merged(x, metric, size, r):
    """x [b, t, d], metric [b, t, k], size [b, t, 1]; the class token first."""
    r = min(r, (x.shape[1] - 1) // 2)
    if r <= 0:
        return x, size
    metric = metric / metric.norm(dim=-1, keepdim=True)
    similarity = metric[:, ::2] @ metric[:, 1::2].transpose(1, 2)
    similarity[:, 0, :] = -math.inf
    best, partner = similarity.max(-1)
    order = best.argsort(-1, descending=True)
    gone, left = order[:, :r, None], order[:, r:, None].sort(1).values
    to = partner[..., None].gather(1, gone)

    def both(y):
        even, odd = y[:, ::2], y[:, 1::2]
        width = y.shape[-1]
        odd = odd.scatter_add(1, to.expand(-1, -1, width), even.gather(1, gone.expand(-1, -1, width)))
        return torch.cat([even.gather(1, left.expand(-1, -1, width)), odd], 1)

    total = both(size)
    return both(x * size) / total, total


class Block(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads, self.norm1, self.norm2 = heads, nn.LayerNorm(d, 1e-6), nn.LayerNorm(d, 1e-6)
        self.qkv, self.proj, self.fc1, self.fc2 = nn.Linear(d, 3 * d), nn.Linear(d, d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x, size, r, fused):
        b, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        bias = None if size is None else size.log()[:, None, None, :, 0]
        if fused:
            mask = None if bias is None else bias.expand(b, self.heads, t, t)
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        else:
            scores = (q * (d // self.heads) ** -0.5) @ k.transpose(-2, -1)
            mixed = (scores if bias is None else scores + bias).softmax(-1) @ v
        x = x + self.proj(mixed.transpose(1, 2).reshape(b, t, d))
        if r > 0:
            x, size = merged(x, k.mean(1), torch.ones_like(x[..., :1]) if size is None else size, r)
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x)))), size


class Vit(nn.Module):
    def __init__(self, d, depth, heads, patch, image):
        super().__init__()
        self.patch = nn.Conv2d(3, d, patch, patch)
        self.cls, self.pos = nn.Parameter(torch.randn(1, 1, d)), nn.Parameter(torch.randn(1, (image // patch) ** 2 + 1, d))
        self.blocks = nn.ModuleList(Block(d, heads) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(d, 1e-6), nn.Linear(d, 1000)

    def forward(self, image, r, fused):
        x = self.patch(image).flatten(2).transpose(1, 2)
        x, size = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.pos, None
        for block in self.blocks:
            x, size = block(x, size, r, fused)
        return self.head(self.norm(x)[:, 0])


def main():
    torch.manual_seed(0)
    d, depth, heads, patch, image, batch, r, rounds = (int(a) for a in sys.argv[1:])
    model, example = Vit(d, depth, heads, patch, image).eval(), torch.randn(batch, 3, image, image)
    ways = [("eager", False)] + ([("scaled_dot_product_attention", True)] if hasattr(F, "scaled_dot_product_attention") else [])
    with torch.inference_mode():
        for way, fused in ways:
            times = {"whole": [], "reduced": []}
            for turn in range(rounds + 1):
                for name, count in (("whole", 0), ("reduced", r)):
                    start = time.perf_counter()
                    model(example, count, fused)
                    if turn:
                        times[name].append(time.perf_counter() - start)
            print(json.dumps({"way": way, **{name: min(seconds) for name, seconds in times.items()}}), flush=True)


main()
