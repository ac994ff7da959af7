#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What merging by other matchings and weights, VisionZip and chains of methods leave of real images: run
/usr/bin/python3 tests/golden/make_token_merging_golden.py (Debian's python3-torch, python3-numpy and python3-scipy). In float64 from float32
weights, with the forward pass of make_token_reduction_golden.py:

  greedy     over all pairs of patches the most similar first, a token in one pair only; the later goes to the earlier, order is kept
  hungarian  r pairs of an even and an odd token, no token twice, of the largest sum of similarities: scipy.optimize.linear_sum_assignment on a
             square with dummy rows and columns that take what is left
  nearest    even tokens to the most similar odd one among the k most similar of all patches; mutual: which it is one of the k for
  weights    plain (all alike), attention of the class token, attention received (mean over heads and queries)
  radius     only tokens whose mean source positions lie no farther apart
  VisionZip  Yang et al. 2024 (arXiv 2412.04467): class attention summed over heads, targets evenly among the rest, target + mean of those that are
             most similar to it by keys; dominant counts the class token

token_merging/golden.npz   as token_reduction/golden.npz, without inputs: they are those there

A case whose choice hangs on less than 1e-6 of a similarity or a score is refused: cosines in float are off by less than 3e-7.
"""
import json
import math

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from make_token_reduction_golden import HERE, MARGIN, Net, evit, order, prune, run
import models_timm_vit
from models_common import read_safetensors

OUT = HERE / "token_merging"
GRIDS = {}


def cosines(place):
    metric = place["k"].mean(0)
    return metric / metric.norm(dim=-1, keepdim=True)


def apart(state, columns):
    """Distance of mean source positions in patches, [tokens, tokens]."""
    patches = state.holds[:, state.prefix:]
    where = torch.arange(patches.shape[1])
    grid = torch.stack([where // columns, where % columns], 1).to(patches.dtype)
    mean = (patches @ grid) / patches.sum(1, keepdim=True)
    return (mean[:, None] - mean[None]).norm(dim=2)


def allowed(state, radius, columns):
    may = torch.ones(state.x.shape[0], state.x.shape[0], dtype=torch.bool)
    may[:state.prefix] = False
    may[:, :state.prefix] = False
    if radius:
        distance = apart(state, columns)
        assert not ((distance - radius).abs() < 1e-9).any(), "a distance is the radius"
        may &= distance <= radius
    return may


def best_edges(similarity, r):
    """Of every row the best column; the r best rows. Clear by MARGIN."""
    best, partner = similarity.max(-1)
    r = min(r, int((best > -math.inf).sum()))
    found = order(best.tolist(), r)
    for row in found[:r]:
        two = torch.topk(similarity[row], 2).values
        assert two[0] - two[1] > MARGIN, "two partners alike"
    return [(i, int(partner[i])) for i in found[:r]], found[r:]


def assign(similarity, pairs):
    """Of `pairs` pairs the best sum: dummy rows take the columns that are left, dummy columns the rows."""
    rows, columns = similarity.shape
    square = np.zeros((rows + columns - pairs, rows + columns - pairs))
    square[:rows, :columns] = np.where(np.isfinite(similarity), similarity, -1e6)
    square[rows:, columns:] = -1e6
    i, j = linear_sum_assignment(square, maximize=True)
    found = [(a, b) for a, b in zip(i.tolist(), j.tolist()) if a < rows and b < columns]
    assert len(found) == pairs and all(np.isfinite(similarity[a, b]) for a, b in found)
    return found, sum(similarity[a, b] for a, b in found)


def optimal_edges(similarity, r):
    found, total = assign(similarity, r)
    for a, b in found:  # every other assignment leaves one of these pairs out
        without = similarity.copy()
        without[a, b] = -np.inf
        assert total - assign(without, r)[1] > 2 * MARGIN, "two assignments alike"
    return found


def greedy_edges(similarity, r):
    """Pairs (i, j), i < j."""
    count = similarity.shape[0]
    pairs = [(similarity[i, j].item(), i, j) for i in range(count) for j in range(i + 1, count) if similarity[i, j] > -math.inf]
    pairs.sort(key=lambda p: -p[0])
    taken, found = set(), []
    free = [p for p in pairs]
    while free and len(found) < r:
        if len(free) > 1:
            assert free[0][0] - free[1][0] > MARGIN / 10, "two pairs alike"
        found.append(free[0][1:])
        taken.update(free[0][1:])
        free = [p for p in free if p[1] not in taken and p[2] not in taken]
    return found


def near(similarity, free, k):
    """[tokens, tokens]: the column is among the k most similar of `free` to the row."""
    result = torch.zeros_like(similarity, dtype=torch.bool)
    for i in free:
        others = [j for j in free if j != i]
        ranked = sorted(others, key=lambda j: -similarity[i, j].item())
        result[i, ranked[:k]] = True
    return result


def nearest_edges(metric, prefix, halves, k, mutual, r):
    def edges(whole):
        allowed_pairs = near(whole, range(prefix, whole.shape[0]), k)
        allowed_pairs = allowed_pairs & allowed_pairs.T if mutual else allowed_pairs
        s = torch.where(allowed_pairs, whole, torch.tensor(-math.inf, dtype=whole.dtype))[halves[0]][:, halves[1]]
        return best_edges(s, r)
    whole = metric @ metric.T
    found, left = edges(whole)
    noise = torch.Generator().manual_seed(1)
    for _ in range(4):  # in place of a margin for every neighbourhood
        shaken = whole + MARGIN / 2 * (torch.rand(whole.shape, generator=noise, dtype=whole.dtype) - 0.5)
        assert edges((shaken + shaken.T) / 2)[0] == found, "neighbourhoods hang on roundings"
    return found, left


def merge(state, place, r, columns, matching="alternate", weights="size", radius=0, neighbours=8, mutual=False):
    tokens, metric = state.x.shape[0], cosines(place)
    r = min(r, (tokens - state.prefix) // 2)
    if r <= 0:
        return
    may = allowed(state, radius, columns)
    similarity = torch.where(may, metric @ metric.T, torch.tensor(-math.inf, dtype=metric.dtype))
    even, odd = list(range(0, tokens, 2)), list(range(1, tokens, 2))
    if matching == "greedy":
        moved = {j: i for i, j in greedy_edges(similarity, r)}
        rows = [i for i in range(tokens) if i not in moved]
    else:
        halves = similarity[even][:, odd]
        if matching == "hungarian":
            edges = optimal_edges(halves.numpy(), r)
            left = [i for i in range(len(even)) if i not in {a for a, _ in edges}]
        elif matching == "nearest":
            edges, left = nearest_edges(metric, state.prefix, (even, odd), neighbours, mutual, r)
        else:
            edges, left = best_edges(halves, r)
        moved = {even[a]: odd[b] for a, b in edges}
        left = [even[i] for i in left]
        if state.prefix:
            left.sort()
        rows = list(range(state.prefix)) + [i for i in left if i >= state.prefix] + [i for i in odd if i >= state.prefix]
    groups = torch.zeros(len(rows), tokens, dtype=state.x.dtype)
    for new, old in enumerate(rows):
        groups[new, old] = 1
    for one, other in moved.items():
        groups[rows.index(other), one] = 1
    by = {"size": lambda: state.sizes, "plain": lambda: torch.ones(tokens, dtype=state.x.dtype), "class-attention": lambda: place["attention"].mean(0)[0],
          "attention-received": lambda: place["attention"].mean((0, 1))}[weights]()
    weighted = groups * by
    state.mix(weighted / weighted.sum(1, keepdim=True), groups)


def vision_zip(state, place, dominant, contextual):
    """`dominant` with the class token."""
    front, tokens = state.prefix, state.x.shape[0]
    scores = place["attention"][:, 0].sum(0)
    found = order(scores[front:].tolist(), dominant - 1)[:dominant - 1]
    kept = list(range(front)) + sorted(front + i for i in found)
    rest = [i for i in range(tokens) if i not in kept]
    step = max(1, len(rest) // contextual)
    targets = [rest[i] for i in range(0, len(rest), step)][:contextual]
    others = [i for i in rest if i not in targets]
    metric = cosines(place)
    similarity = metric[others] @ metric[targets].T
    two = torch.topk(similarity, 2, dim=1).values
    assert (two[:, 0] - two[:, 1]).min() > MARGIN, "two targets alike"
    assigned = similarity.argmax(1).tolist()
    groups = torch.zeros(len(kept) + len(targets), tokens, dtype=state.x.dtype)
    for new, old in enumerate(kept + targets):
        groups[new, old] = 1
    weights = groups.clone()
    for old, target in zip(others, assigned):
        groups[len(kept) + target, old] = 1
        weights[len(kept) + target, old] = 1 / assigned.count(target)
    state.mix(weights, groups)


def cases(depth):
    def merging(r, columns, **settings):
        counts = r if isinstance(r, list) else [r] * depth
        return {i: (lambda s, p, r=r: merge(s, p, r, columns, **settings)) for i, r in enumerate(counts) if r}

    def mixed(columns, pruned, merged, keep, r):
        return {**{i: (lambda s, p: evit(s, p, keep, True)) for i in pruned}, **{i: (lambda s, p: merge(s, p, r, columns)) for i in merged}}

    return {
        "vit20": {
            "plain": (merging(24, 16, weights="plain"), True),
            "class_attention": (merging(24, 16, weights="class-attention"), True),
            "attention_received": (merging(24, 16, weights="attention-received"), False),
            "radius": (merging(24, 16, radius=2.3), True),
            "greedy": (merging(20, 16, matching="greedy"), True),
            "greedy_radius": (merging(20, 16, matching="greedy", radius=1.73, weights="plain"), True),
            "hungarian": (merging([17, 0, 30, 20, 0, 9], 16, matching="hungarian"), True),
            "hungarian_radius": (merging([20, 10, 10], 16, matching="hungarian", radius=3.31), True),
            "nearest": (merging(24, 16, matching="nearest", neighbours=6), True),
            "nearest_mutual": (merging([24, 24, 24], 16, matching="nearest", neighbours=9, mutual=True), True),
            "visionzip": ({depth - 2: lambda s, p: vision_zip(s, p, 54, 10)}, False),
            "visionzip_twice": ({1: lambda s, p: vision_zip(s, p, 120, 30), 3: lambda s, p: vision_zip(s, p, 40, 7)}, False),
            "chain": (mixed(16, [1, 3], [0, 2, 4, 5], 0.7, 7), True),
        },
        "deit": {
            "greedy": (merging(4, 6, matching="greedy"), True),
            "hungarian": (merging(5, 6, matching="hungarian"), True),
            "visionzip": ({2: lambda s, p: vision_zip(s, p, 10, 4)}, False),
        },
        "timm_vit_avg_prenorm": {
            "greedy": (merging(2, 4, matching="greedy"), True),
            "hungarian": (merging(3, 4, matching="hungarian"), True),
            "plain": (merging(3, 4, weights="plain"), True),
        },
    }


def main():
    torch.set_num_threads(1)
    inputs = np.load(HERE / "token_reduction" / "golden.npz")
    folders = {"vit20": HERE.parent.parent / "datasets" / "vit20", "deit": HERE / "token_reduction" / "deit", "timm_vit_avg_prenorm": HERE / "models" / "timm_vit_avg_prenorm"}
    arrays = {}
    for model, folder in folders.items():
        config = json.loads((folder / "config.json").read_text())
        net = Net(None, {k: torch.from_numpy(v.astype(np.float64)) for k, v in read_safetensors(folder / "model.safetensors").items()})
        depth = models_timm_vit.option(config, "depth", None)
        for name, (steps, proportional) in cases(depth)[model].items():
            results = [run(net, config, torch.from_numpy(image).double(), steps, proportional) for image in inputs[f"{model}.input"]]
            arrays[f"{model}.{name}.logits"] = np.stack([r[0] for r in results]).astype(np.float32)
            arrays[f"{model}.{name}.row"] = np.stack([r[1] for r in results])
            arrays[f"{model}.{name}.sizes"] = np.stack([r[2] for r in results])
            print(model, name, [int((s > 0).sum()) for s in arrays[f"{model}.{name}.sizes"][0]])
    OUT.mkdir(exist_ok=True)
    np.savez_compressed(OUT / "golden.npz", **arrays)
    print((OUT / "golden.npz").stat().st_size, "bytes")


if __name__ == "__main__":
    main()
