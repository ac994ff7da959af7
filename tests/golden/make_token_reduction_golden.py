#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What token reductions leave of real images: run /usr/bin/python3 tests/golden/make_token_reduction_golden.py
(Debian's python3-torch and python3-numpy). Written from the papers' formulas, in float64 from float32 weights:

  ToMe  Bolya et al. 2023 (arXiv 2210.09461): keys averaged over heads and normalised, even tokens against odd ones, the class row and the
        distillation column -inf, the r best edges, means by size, log size added to the scores of a key
  EViT  Liang et al. 2022 (arXiv 2202.07800): ceil(keep (N - 1)) patches by the class token's mean attention, the others' sum weighted by
        their attention as one more token

token_reduction/deit/           a small distilled transformer of random weights (config.json, model.safetensors) that golden models share
token_reduction/golden.npz      per case <case>.logits [n, classes], <case>.row [n, blocks, source tokens] (the token that holds it after the
                                block, -1: pruned), <case>.sizes [n, blocks, source tokens] (zero behind the last token), and the inputs
                                <model>.input [n, 3, height, width]

Token order, where the papers leave it open: pruning keeps the order, the fused token is the last. A case whose choice hangs on a
difference below 1e-6 of two scores is refused: a cosine of two unit vectors in float is off by less than 3e-7.
"""
import json
import math
import os
import pathlib
import sys

sys.dont_write_bytecode = True
os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

from models_common import ACTIVATIONS, Net, pixels, read_safetensors, write_safetensors  # noqa: E402
import models_timm_vit  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "token_reduction"
MARGIN = 1e-6


def order(scores, taken):
    """Positions by falling score; the gap between those taken and those left must be clear, and so must be ties."""
    found = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    if 0 < taken < len(found):
        gap = scores[found[taken - 1]] - scores[found[taken]]
        assert not gap < MARGIN * abs(scores[found[taken - 1]]), f"scores {gap} apart"
    return found


class Tokens:
    """x [t, d] and what each token holds, [t, source tokens] of 0 and 1."""

    def __init__(self, x, prefix):
        self.x, self.prefix = x, prefix
        self.holds = torch.eye(x.shape[0], dtype=x.dtype)

    @property
    def sizes(self):
        return self.holds.sum(1)

    def mix(self, weights, groups):
        """Row i becomes weights[i] @ x and holds what groups[i] @ holds."""
        self.x, self.holds = weights @ self.x, groups @ self.holds


def tome(state, place, r):
    tokens, metric = state.x.shape[0], place["k"].mean(0)
    r = min(r, (tokens - state.prefix) // 2)
    if r <= 0:
        return
    metric = metric / metric.norm(dim=-1, keepdim=True)
    similarity = metric[0::2] @ metric[1::2].T
    for i in range(state.prefix):
        if i % 2 == 0:
            similarity[i // 2, :] = -math.inf
        else:
            similarity[:, i // 2] = -math.inf
    best, partner = similarity.max(-1)
    found = order(best.tolist(), r)
    for row in found[:r]:
        two = torch.topk(similarity[row], 2).values
        assert two[0] - two[1] > MARGIN, "two partners alike"
    left = [2 * i for i in found[r:]]
    if state.prefix:
        left.sort()
    front = list(range(state.prefix))
    rows = front + [i for i in left if i >= state.prefix] + [i for i in range(1, tokens, 2) if i >= state.prefix]
    groups = torch.zeros(len(rows), tokens, dtype=state.x.dtype)
    for new, old in enumerate(rows):
        groups[new, old] = 1
    for i in found[:r]:
        groups[rows.index(2 * int(partner[i]) + 1), 2 * i] = 1
    weighted = groups * state.sizes
    state.mix(weighted / weighted.sum(1, keepdim=True), groups)


def prune(state, kept, fused=None):
    rows = sorted(kept)
    groups = torch.zeros(len(rows), state.x.shape[0], dtype=state.x.dtype)
    for new, old in enumerate(rows):
        groups[new, old] = 1
    weights = groups.clone()
    if fused is not None and len(rows) < state.x.shape[0]:
        others = torch.ones(state.x.shape[0], dtype=state.x.dtype)
        others[rows] = 0
        groups = torch.cat([groups, others[None]])
        weights = torch.cat([weights, (others * fused)[None]])
    state.mix(weights, groups)


def evit(state, place, keep, fuse):
    attention = place["attention"].mean(0)[0]
    patches = state.x.shape[0] - state.prefix
    count = math.ceil(keep * patches)
    if count >= patches:
        return
    found = order(attention[state.prefix:].tolist(), count)[:count]
    prune(state, list(range(state.prefix)) + [state.prefix + i for i in found], attention if fuse else None)


def run(net, config, image, steps, proportional):
    """One image [3, height, width]; steps: {block: function(state, place)} behind the attention. Logits, rows, sizes."""
    net.record.clear()
    option = models_timm_vit.option
    eps, heads = option(config, "layer_norm_eps", 1e-6), option(config, "num_heads", None)
    x, prefix = models_timm_vit.embed(net, config, image[None])
    if option(config, "pre_norm", False):
        x = net.layer_norm("norm_pre", x, eps)
    state = Tokens(x[0], prefix)
    depth, sources = option(config, "depth", None), x.shape[1]
    rows, sizes = np.full((depth, sources), -1, np.int32), np.zeros((depth, sources), np.float32)
    for i in range(depth):
        name, d = f"blocks.{i}.", state.x.shape[1]
        qkv = net.linear(name + "attn.qkv", net.layer_norm(name + "norm1", state.x[None], eps), 3 * d)[0]
        q, k, v = (part.reshape(-1, heads, d // heads).transpose(0, 1) for part in qkv.chunk(3, -1))
        scores = q @ k.transpose(1, 2) * (d // heads) ** -0.5
        if proportional:
            scores = scores + state.sizes.log()
        attention = scores.softmax(-1)
        mixed = (attention @ v).transpose(0, 1).reshape(-1, d)
        state.x = state.x + net.linear(name + "attn.proj", mixed[None], d)[0]
        if i in steps:
            steps[i](state, {"q": q, "k": k, "v": v, "attention": attention})
        y = net.layer_norm(name + "norm2", state.x[None], eps)
        y = net.linear(name + "mlp.fc1", y, int(d * option(config, "mlp_ratio", 4)))
        y = ACTIVATIONS[option(config, "hidden_act", "gelu")](y)
        state.x = state.x + net.linear(name + "mlp.fc2", y, d)[0]
        held = state.holds.numpy()
        for token, sourced in enumerate(held):
            rows[i, sourced > 0] = token
        sizes[i, :held.shape[0]] = held.sum(1)
    return head(net, config, state), rows, sizes


def head(net, config, state):
    option = models_timm_vit.option
    eps, classes = option(config, "layer_norm_eps", 1e-6), config["num_classes"]
    x = state.x[None]
    average = option(config, "global_pool", "token") == "avg"
    if not average:
        x = net.layer_norm("norm", x, eps)
        logits = net.linear("head", x[:, 0], classes)
        if option(config, "distilled", False):
            logits = (logits + net.linear("head_dist", x[:, 1], classes)) / 2
        return logits[0].numpy()
    weights = state.sizes[state.prefix:]
    pooled = (weights[:, None] * x[0, state.prefix:]).sum(0, keepdim=True) / weights.sum()
    return net.linear("head", net.layer_norm("fc_norm", pooled, eps), classes)[0].numpy()


def schedule(depth, r, inflection):
    """ToMe's parse_r."""
    least = int(r * (1 - inflection))
    most = 2 * r - least
    step = (most - least) / (depth - 1)
    return [int(least + step * i) for i in range(depth)]


def cases(depth):
    def merging(counts):
        return {i: (lambda s, p, r=r: tome(s, p, r)) for i, r in enumerate(counts) if r}

    def pruning(keep, fuse, blocks):
        return {i: (lambda s, p: evit(s, p, keep, fuse)) for i in blocks}

    thirds = sorted({depth * i // 4 for i in (1, 2, 3)})
    return {
        "vit20": {
            "tome17": (merging(schedule(depth, 17, 0)), True),
            "tome60": (merging([60] * depth), True),
            "tome_falling": (merging(schedule(depth, 20, -1)), True),
            "tome_plain": (merging([24] * depth), False),
            "tome_list": (merging([0, 40, 0, 30]), True),
            "evit_fused": (pruning(0.7, True, thirds), False),
            "evit_pruned": (pruning(0.5, False, thirds), False),
        },
        "deit": {
            "tome5": (merging([5] * depth), True),
            "evit_fused": (pruning(0.6, True, [1, 2]), False),
        },
        "timm_vit_avg_prenorm": {"tome3": (merging([3] * depth), True)},
    }


def make_deit():
    config = models_timm_vit.config(architecture="deit_small_distilled_patch4_24", size=(24, 24), embed_dim=32, depth=4, num_heads=2,
                                    mlp_ratio=4, distilled=True)
    net = Net("token_reduction/deit")
    image = pixels("token_reduction/deit", 24, 24)["pixel_values"]
    models_timm_vit.forward(net, config, {"pixel_values": image})
    folder = OUT / "deit"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    write_safetensors(folder / "model.safetensors", {k: v.numpy().astype(np.float32) for k, v in net.tensors.items()})
    return folder, image.numpy()


def main():
    torch.set_num_threads(1)
    deit, deit_input = make_deit()
    vit20 = HERE.parent.parent / "datasets" / "vit20"
    average = HERE / "models" / "timm_vit_avg_prenorm"
    models = {"vit20": (vit20, np.load(vit20 / "golden.npz")["input"]), "deit": (deit, deit_input),
              "timm_vit_avg_prenorm": (average, np.load(average / "golden.npz")["pixel_values"])}
    arrays = {}
    for model, (folder, images) in models.items():
        config = json.loads((folder / "config.json").read_text())
        tensors = {k: torch.from_numpy(v.astype(np.float64)) for k, v in read_safetensors(folder / "model.safetensors").items()}
        net = Net(None, tensors)
        depth = models_timm_vit.option(config, "depth", None)
        arrays[f"{model}.input"] = images.astype(np.float32)
        if model == "vit20":  # the whole model, against the record that came with it
            whole, _, _ = run(net, config, torch.from_numpy(images[0]).double(), {}, True)
            assert np.abs(whole - np.load(folder / "golden.npz")["logits"][0]).max() < 1e-4
        for name, (steps, proportional) in cases(depth)[model].items():
            results = [run(net, config, torch.from_numpy(image).double(), steps, proportional) for image in images]
            arrays[f"{model}.{name}.logits"] = np.stack([r[0] for r in results]).astype(np.float32)
            arrays[f"{model}.{name}.row"] = np.stack([r[1] for r in results])
            arrays[f"{model}.{name}.sizes"] = np.stack([r[2] for r in results])
            print(model, name, [int((s > 0).sum()) for s in arrays[f"{model}.{name}.sizes"][0]])
    np.savez_compressed(OUT / "golden.npz", **arrays)
    print((OUT / "golden.npz").stat().st_size, "bytes")


main()
