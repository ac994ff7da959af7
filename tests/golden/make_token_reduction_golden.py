#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What token reductions leave of real images: run /usr/bin/python3 tests/golden/make_token_reduction_golden.py
(Debian's python3-torch and python3-numpy). Written from the papers' formulas, in float64 from float32 weights:

  ToMe  Bolya et al. 2023 (arXiv 2210.09461): keys averaged over heads and normalised, even tokens against odd ones, the class row and the
        distillation column -inf, the r best edges, means by size, log size added to the scores of a key
  EViT  Liang et al. 2022 (arXiv 2202.07800): ceil(keep (N - 1)) patches by the class token's mean attention, the others' sum weighted by
        their attention as one more token

  ATS   Fayyaz et al. 2022 (arXiv 2111.15667): inverse transform sampling of class attention times value norm, by the steps of the authors'
        code: cumulative shares scaled to 0 .. 1, as many samples in every block as the whole model has patches
  DynamicViT's schedule, Rao et al. 2021 (arXiv 2106.02034): int(patches keep^k) before given blocks
  DiffRate  Chen et al. 2023 (arXiv 2305.17997): by class attention the last are pruned, the next merged (plain mean) into the most alike of the
        others; a key's weight grows by the similarity times the weight of what is merged into it
  PiToMe  Tran et al. 2024 (arXiv 2405.16148): the 2 r patches of the highest energy, mean elu(cosine - margin), every other one into its most similar
  scores: attention received, rollout (Abnar and Zuidema 2020), |x . grad| by autograd, norm, variance, entropy

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
SCORES = ["class-attention", "attention-received", "attention-value-norm", "rollout", "gradient", "feature-norm", "channel-variance", "entropy"]


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
        self.rollout = self.holds.clone()
        self.key_weights = torch.ones(x.shape[0], dtype=x.dtype)

    @property
    def sizes(self):
        return self.holds.sum(1)

    def mix(self, weights, groups, shares=None):
        """Row i becomes weights[i] @ x and holds what groups[i] @ holds; `shares` [t]: how much of a token's key weight is added (1)."""
        self.x, self.holds = weights @ self.x, groups @ self.holds
        self.key_weights = (groups if shares is None else groups * shares) @ self.key_weights
        means = weights / weights.sum(1, keepdim=True)
        self.rollout = means @ self.rollout


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
    """`fused`: weights of the sum of the others, which is one key, however many they are."""
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
        state.mix(weights, groups, torch.where(others > 0, 1 / (others.sum() * state.key_weights), torch.ones_like(others)))
        return
    state.mix(weights, groups)


def evit(state, place, keep, fuse):
    attention = place["attention"].mean(0)[0]
    patches = state.x.shape[0] - state.prefix
    count = math.ceil(keep * patches)
    if count >= patches:
        return
    found = order(attention[state.prefix:].tolist(), count)[:count]
    prune(state, list(range(state.prefix)) + [state.prefix + i for i in found], attention if fuse else None)


def patch_scores(name, state, place):
    """Of the patches, higher: kept."""
    front, attention, rows = state.prefix, place["attention"], state.x
    if name == "class-attention":
        scores = attention.mean(0)[0]
    elif name == "attention-received":
        scores = attention.mean((0, 1))
    elif name == "attention-value-norm":
        scores = attention.mean(0)[0] * place["v"].transpose(0, 1).flatten(1).norm(dim=1)
        scores = scores / scores[front:].sum()
    elif name == "rollout":
        scores = state.holds @ state.rollout[0]
    elif name == "gradient":
        last = len(place["gradient"]) - 1
        if not place["average"]:  # what leaves the last block but one is read by a norm alone: x . grad is 0 there
            last -= 2
            assert place["gradient"][-2][front:].max() < 1e-4 * place["gradient"][-3][front:].max()
        scores = state.holds @ place["gradient"][min(place["block"], last)]
    elif name == "feature-norm":
        scores = rows.norm(dim=1)
    elif name == "channel-variance":
        scores = rows.var(1, unbiased=False)
    elif name == "entropy":
        p = rows.abs() / rows.abs().sum(1, keepdim=True)
        scores = -torch.xlogy(p, p).sum(1)
    assert (attention.sum(-1) - 1).abs().max() < 1e-12  # the row sum that some take for a score
    return scores[front:]


def top(state, scores, count):
    count = min(count, len(scores))
    found = order(scores.tolist(), count)[:count]
    prune(state, list(range(state.prefix)) + [state.prefix + i for i in found])


def top_rho(state, place, name, keep):
    scores = patch_scores(name, state, place)
    top(state, scores, math.ceil(keep * len(scores)))


def ats(state, place, least=8):
    """The steps of the authors' AdaptiveTokenSampler: shares of the patches in ascending order, summed up, between 0 and 1; values equally spaced
    from the least sum above 0 to 1, in every block as many as the whole model has patches; each picks the nearest. Nothing is picked twice."""
    scores = patch_scores("attention-value-norm", state, place)
    n, samples = len(scores), state.holds.shape[1] - state.prefix
    if n <= least:
        return
    ascending, where = torch.sort(scores, stable=True)
    cdf = torch.cumsum(ascending, 0)
    cdf = (cdf - cdf.min()) / (cdf.max() - cdf.min())
    start = cdf[cdf > 0].min().item()
    ys = torch.tensor([start + (k - start * k) / (samples - 1) for k in range(samples)], dtype=scores.dtype)
    distance = (cdf[None] - ys[:, None]).abs()
    two = torch.topk(distance, 2, largest=False).values
    assert (two[:, 1] - two[:, 0]).min() > MARGIN / 10, "two tokens as near"
    kept = sorted({int(where[i]) for i in distance.argmin(1)})
    others = [i for i in order(scores.tolist(), n) if i not in kept]
    kept = sorted(kept + others[:max(0, least - len(kept))])  # ours: the authors have no least
    prune(state, list(range(state.prefix)) + [state.prefix + i for i in kept])


def diff_rate(state, place, pruned, merged):
    front, scores = state.prefix, place["attention"].mean(0)[0]
    found = order(scores[front:].tolist(), pruned - front)
    order(scores[front:].tolist(), merged - front)
    found = [front + i for i in found]
    targets, others = sorted(found[:merged - front]), found[merged - front:pruned - front]
    unit = state.x / state.x.norm(dim=1, keepdim=True)
    rows = list(range(front)) + targets
    groups = torch.zeros(len(rows), state.x.shape[0], dtype=state.x.dtype)
    shares = torch.ones(state.x.shape[0], dtype=state.x.dtype)
    for new, old in enumerate(rows):
        groups[new, old] = 1
    for old in others:
        similarity = unit[targets] @ unit[old]
        two = torch.topk(similarity, 2)
        assert two.values[0] - two.values[1] > MARGIN, "two targets alike"
        groups[front + int(two.indices[0]), old] = 1
        shares[old] = two.values[0].clamp(min=0)
    state.mix(groups / groups.sum(1, keepdim=True), groups, shares)


def pitome(state, place, keep, margin):
    front, metric = state.prefix, place["k"].mean(0)[state.prefix:]
    count = metric.shape[0]
    r = min(math.floor(count - count * keep), count // 2)
    if r == 0:
        return
    metric = metric / metric.norm(dim=-1, keepdim=True)
    similarity = metric @ metric.T
    energy = F.elu(similarity - margin).mean(-1).tolist()
    found = order(energy, 2 * r)[:2 * r]
    for one, other in zip(found, found[1:]):
        assert energy[one] - energy[other] > MARGIN / 10, "two energies alike"
    moving, targets = found[0::2], found[1::2]
    rows = [i for i in range(state.x.shape[0]) if i - front not in moving]
    groups = torch.zeros(len(rows), state.x.shape[0], dtype=state.x.dtype)
    for new, old in enumerate(rows):
        groups[new, old] = 1
    for i in moving:
        best = similarity[i, targets]
        if r > 1:
            two = torch.topk(best, 2).values
            assert two[0] - two[1] > MARGIN, "two targets alike"
        groups[rows.index(front + targets[int(best.argmax())]), front + i] = 1
    weighted = groups * state.sizes
    state.mix(weighted / weighted.sum(1, keepdim=True), groups)


def gradients(net, config, image):
    """|x . dL / dx| of what leaves each block, [blocks, tokens]; L: cross entropy of the class found most probable."""
    option = models_timm_vit.option
    net.record.clear()
    x, prefix = models_timm_vit.embed(net, config, image[None])
    if option(config, "pre_norm", False):
        x = net.layer_norm("norm_pre", x, option(config, "layer_norm_eps", 1e-6))
    x.requires_grad_(True)
    leaving = []
    for i in range(option(config, "depth", None)):
        x = models_timm_vit.block(net, config, i, x)
        x.retain_grad()
        leaving.append(x)
    if option(config, "global_pool", "token") == "avg":
        pooled = net.layer_norm("fc_norm", x[:, prefix:].mean(1), option(config, "layer_norm_eps", 1e-6))
        logits = net.linear("head", pooled, config["num_classes"])
    else:
        x = net.layer_norm("norm", x, option(config, "layer_norm_eps", 1e-6))
        logits = net.linear("head", x[:, 0], config["num_classes"])
    if option(config, "distilled", False):
        logits = (logits + net.linear("head_dist", x[:, 1], config["num_classes"])) / 2
    F.cross_entropy(logits, logits.argmax(1)).backward()
    return torch.stack([(t * t.grad).sum(-1).abs()[0] for t in leaving]).detach()


def run(net, config, image, steps, proportional):
    """One image [3, height, width]; steps: {block: function(state, place)} behind the attention. Logits, rows, sizes."""
    gradient = gradients(net, config, image) if "gradient" in steps else None
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
        if ("before", i) in steps:
            steps["before", i](state)
        qkv = net.linear(name + "attn.qkv", net.layer_norm(name + "norm1", state.x[None], eps), 3 * d)[0]
        q, k, v = (part.reshape(-1, heads, d // heads).transpose(0, 1) for part in qkv.chunk(3, -1))
        scores = q @ k.transpose(1, 2) * (d // heads) ** -0.5
        if proportional:
            scores = scores + state.key_weights.log()
        attention = scores.softmax(-1)
        state.rollout = 0.5 * (attention.mean(0) @ state.rollout + state.rollout)
        mixed = (attention @ v).transpose(0, 1).reshape(-1, d)
        state.x = state.x + net.linear(name + "attn.proj", mixed[None], d)[0]
        if i in steps:
            steps[i](state, {"block": i, "q": q, "k": k, "v": v, "attention": attention, "gradient": gradient,
                             "average": option(config, "global_pool", "token") == "avg"})
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

    def scored(name, keeps):
        steps = {i: (lambda s, p, keep=keep: top_rho(s, p, name, keep)) for i, keep in keeps.items()}
        return {**steps, "gradient": True} if name == "gradient" else steps

    def dynamic(name, keep, blocks, patches):
        """Scored behind the attention of the block before, pruned before the block."""
        steps, memory = {}, {}
        for k, block in enumerate(blocks, 1):
            steps[block - 1] = lambda s, p: memory.update(scores=patch_scores(name, s, p))
            steps["before", block] = lambda s, count=int(patches * keep ** k): top(s, memory["scores"], count)
        return steps

    def rates(pruned, merged):
        return {i: (lambda s, p, a=a, b=b: diff_rate(s, p, a, b)) for i, (a, b) in enumerate(zip(pruned, merged)) if i}

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
            **{f"rho_{name}": (scored(name, {1: 0.8, 3: 0.6, 4: 0.7}), False) for name in SCORES},
            "dynamic": (dynamic("class-attention", 0.7, thirds, 256), False),
            "ats": ({i: ats for i in range(1, depth)}, False),
            "pitome": ({i: (lambda s, p, i=i: pitome(s, p, 0.86, 0.9 * (1 - i / depth))) for i in range(depth)}, True),
            "diffrate": (rates([257, 230, 201, 160, 140, 61], [257, 222, 180, 150, 101, 41]), True),
        },
        "deit": {
            "tome5": (merging([5] * depth), True),
            "evit_fused": (pruning(0.6, True, [1, 2]), False),
            "rho_gradient": (scored("gradient", {1: 0.7, 2: 0.7}), False),
        },
        "timm_vit_avg_prenorm": {
            "tome3": (merging([3] * depth), True),
            "rho_gradient": (scored("gradient", {1: 0.6}), False),
        },
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


if __name__ == "__main__":
    main()
