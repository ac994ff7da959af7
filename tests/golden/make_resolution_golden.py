#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What models say of images at other sizes and of patches of several sizes: run /usr/bin/python3 tests/golden/make_resolution_golden.py
(Debian's python3-torch and python3-numpy). In float64 from float32 weights, with PyTorch's own resizing:

  images      interpolate(antialias=True) and avg_pool2d; positions by interpolate (timm's resample_abs_pos_embed)
  multi-scale features (what goes into the head) of several sizes, their mean, weighted mean or maximum into the head
  mixed       a quadtree over the image: the patch of the highest variance of its grey (mean of the channels) times its area is split until
              another split would go beyond the budget, or every patch above a threshold is. Larger patches are averaged down to the model's
              patch, smaller ones cut from the image that is enlarged by bicubic interpolation; positions by grid_sample at the centre, or
              averaged over what a patch covers; log of the area is added to a key's scores where attention is proportional

resolution/golden.npz   <model>.resized.<name> [n, 3, h, w]; <model>.<case>.logits [n, classes]; mixed cases also <case>.patches [n, most, 3]: top,
                        left and side in pixels, in the order of the tokens, -1 behind the last, and most of
                        them <case>.positions [1, most, width] of the first image
The inputs are those of token_reduction/golden.npz. A case whose splits hang on a difference below 1e-6 of two scores is refused.
"""
import json
import os
import pathlib
import sys

sys.dont_write_bytecode = True
os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

from models_common import ACTIVATIONS, Net, read_safetensors  # noqa: E402
import models_timm_vit  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "resolution"
MARGIN = 1e-6
option = models_timm_vit.option


def resized(image, size, mode="bicubic"):
    """[3, h, w] at another size (height, width)."""
    if tuple(image.shape[1:]) == tuple(size):
        return image
    if mode == "area":
        return F.avg_pool2d(image[None], image.shape[1] // size[0])[0]
    return F.interpolate(image[None], size=tuple(size), mode=mode, antialias=True)[0]


def blocks(net, config, x, log_weights=None):
    """x [1, t, d] behind the last block."""
    eps, heads = option(config, "layer_norm_eps", 1e-6), option(config, "num_heads", None)
    d = x.shape[-1]
    if option(config, "pre_norm", False):
        x = net.layer_norm("norm_pre", x, eps)
    for i in range(option(config, "depth", None)):
        name = f"blocks.{i}."
        qkv = net.linear(name + "attn.qkv", net.layer_norm(name + "norm1", x, eps), 3 * d)[0]
        q, k, v = (part.reshape(-1, heads, d // heads).transpose(0, 1) for part in qkv.chunk(3, -1))
        scores = q @ k.transpose(1, 2) * (d // heads) ** -0.5
        if log_weights is not None:
            scores = scores + log_weights
        mixed = (scores.softmax(-1) @ v).transpose(0, 1).reshape(1, -1, d)
        x = x + net.linear(name + "attn.proj", mixed, d)
        y = net.linear(name + "mlp.fc1", net.layer_norm(name + "norm2", x, eps), int(d * option(config, "mlp_ratio", 4)))
        x = x + net.linear(name + "mlp.fc2", ACTIVATIONS[option(config, "hidden_act", "gelu")](y), d)
    return x


def features(net, config, x, prefix, areas=None):
    """What goes into the head: [1 or 2, d]."""
    if option(config, "global_pool", "token") == "avg":
        weights = torch.ones(x.shape[1] - prefix, dtype=x.dtype) if areas is None else areas
        return (weights[:, None] * x[0, prefix:]).sum(0, keepdim=True) / weights.sum()
    x = net.layer_norm("norm", x, option(config, "layer_norm_eps", 1e-6))
    return x[0, :2] if option(config, "distilled", False) else x[0, :1]


def head(net, config, fused):
    classes = config["num_classes"]
    if option(config, "global_pool", "token") == "avg":
        fused = net.layer_norm("fc_norm", fused, option(config, "layer_norm_eps", 1e-6))
    logits = net.linear("head", fused[:1], classes)
    if option(config, "distilled", False):
        logits = (logits + net.linear("head_dist", fused[1:], classes)) / 2
    return logits[0]


def at_size(net, config, image):
    net.record.clear()
    x, prefix = models_timm_vit.embed(net, config, image[None])
    return features(net, config, blocks(net, config, x), prefix)


def multi_scale(net, config, image, scales, fuse):
    patch, side = option(config, "patch_size", None), image.shape[1] // option(config, "patch_size", None)
    found = []
    for scale in scales:
        size = max(1, int(np.floor(scale * side + 0.5))) * patch
        found.append(at_size(net, config, resized(image, (size, size))))
    found = torch.stack(found)
    if fuse == "max":
        fused = found.max(0).values
    else:
        weights = torch.tensor([s if fuse == "weighted" else 1.0 for s in scales], dtype=image.dtype)
        fused = (weights[:, None, None] * found).sum(0) / weights.sum()
    net.record.clear()
    return head(net, config, fused)


def quadtree(image, smallest, largest, budget=None, threshold=None):
    """(top, left, side), row by row of their upper left corners."""
    grey = image.mean(0)

    def variance(patch):
        top, left, side = patch
        return grey[top:top + side, left:left + side].var(unbiased=False).item()

    found = [(top, left, largest) for top in range(0, grey.shape[0], largest) for left in range(0, grey.shape[1], largest)]
    if threshold is not None:
        waiting, found = found, []
        while waiting:
            patch = waiting.pop()
            score = variance(patch)
            assert abs(score - threshold) > MARGIN
            if patch[2] > smallest and score > threshold:
                top, left, half = patch[0], patch[1], patch[2] // 2
                waiting += [(top, left, half), (top, left + half, half), (top + half, left, half), (top + half, left + half, half)]
            else:
                found.append(patch)
        return sorted(found)
    scored = {patch: variance(patch) * patch[2] ** 2 for patch in found}
    while len(scored) + 3 <= budget:
        candidates = sorted((p for p in scored if p[2] > smallest), key=lambda p: -scored[p])
        if not candidates:
            break
        if len(candidates) > 1:
            assert scored[candidates[0]] - scored[candidates[1]] > MARGIN * scored[candidates[0]]
        top, left, side = candidates[0]
        del scored[candidates[0]]
        half = side // 2
        for patch in [(top, left, half), (top, left + half, half), (top + half, left, half), (top + half, left + half, half)]:
            scored[patch] = variance(patch) * half ** 2
    return sorted(scored)


def mixed(net, config, image, smallest, largest, position, proportional, **limits):
    net.record.clear()
    p, d = option(config, "patch_size", None), option(config, "embed_dim", None)
    rows, columns = image.shape[1] // p, image.shape[2] // p
    patches = quadtree(image, smallest, largest, **limits)
    # the model's own pass tells the prefix with its positions; the patches are embedded one by one
    whole, prefix = models_timm_vit.embed(net, config, image[None])
    bare = not option(config, "no_embed_class", False)
    table = net.tensors["pos_embed"][0][prefix if bare else 0:]
    assert table.shape[0] == rows * columns
    table = table.T.reshape(1, d, rows, columns)
    tokens, positions = [], []
    for top, left, side in patches:
        if side >= p:
            pixels = F.avg_pool2d(image[None, :, top:top + side, left:left + side], side // p) if side > p else image[None, :, top:top + side, left:left + side]
        else:
            factor = p // side
            large = resized(image, (image.shape[1] * factor, image.shape[2] * factor))
            pixels = large[None, :, top * factor:top * factor + p, left * factor:left * factor + p]
        embedded = F.conv2d(pixels, net.tensors["patch_embed.proj.weight"], net.tensors.get("patch_embed.proj.bias"), stride=p).reshape(d)
        if position == "centre":
            at = torch.tensor([(left + side / 2) / image.shape[2] * 2 - 1, (top + side / 2) / image.shape[1] * 2 - 1], dtype=image.dtype)
            place = F.grid_sample(table, at.reshape(1, 1, 1, 2), mode="bilinear", padding_mode="border", align_corners=False).reshape(d)
        else:
            fine = table.repeat_interleave(p, 2).repeat_interleave(p, 3)  # the position of the model's patch that each pixel is in
            place = fine[0, :, top:top + side, left:left + side].mean((1, 2))
        tokens.append(embedded + place)
        positions.append(place)
    x = torch.cat([whole[0, :prefix], torch.stack(tokens)])[None]
    areas = torch.tensor([side * side / (p * p) for _, _, side in patches], dtype=image.dtype)
    weights = torch.cat([torch.ones(prefix, dtype=image.dtype), areas]) if proportional else None
    net.record.clear()
    last = blocks(net, config, x, weights.log() if proportional else None)
    return head(net, config, features(net, config, last, prefix, areas)), patches, torch.stack(positions)


MULTI_SCALE = {"half": ([0.5], "mean"), "mean": ([1, 0.5], "mean"), "weighted": ([0.75, 0.5], "weighted"), "max": ([1, 0.75, 0.5], "max")}
MIXED = {
    "vit20": {
        "budget": dict(smallest=4, largest=16, position="centre", proportional=False, budget=100),
        "fine": dict(smallest=2, largest=16, position="centre", proportional=True, budget=160),
        "average": dict(smallest=4, largest=32, position="average", proportional=True, budget=61),
        "threshold": dict(smallest=2, largest=8, position="average", proportional=False, threshold=0.1),
    },
    "deit": {"mixed": dict(smallest=2, largest=8, position="centre", proportional=True, budget=30)},
    "timm_vit_avg_prenorm": {"mixed": dict(smallest=2, largest=8, position="centre", proportional=True, budget=25)},
}


def main():
    torch.set_num_threads(1)
    folders = {"vit20": HERE.parent.parent / "datasets" / "vit20", "deit": HERE / "token_reduction" / "deit",
               "timm_vit_avg_prenorm": HERE / "models" / "timm_vit_avg_prenorm"}
    inputs = np.load(HERE / "token_reduction" / "golden.npz")
    arrays = {}
    for model, folder in folders.items():
        config = json.loads((folder / "config.json").read_text())
        net = Net(None, {k: torch.from_numpy(v.astype(np.float64)) for k, v in read_safetensors(folder / "model.safetensors").items()})
        images = [torch.from_numpy(image).double() for image in inputs[f"{model}.input"]]
        with torch.no_grad():
            if model == "vit20":  # the whole model, against the record that came with it
                whole = multi_scale(net, config, images[0], [1], "mean").numpy()
                assert np.abs(whole - np.load(folder / "golden.npz")["logits"][0]).max() < 1e-4
                sizes = {"bicubic_down": ((32, 48), "bicubic"), "bicubic_up": ((80, 76), "bicubic"), "bilinear_down": ((20, 64), "bilinear"),
                         "bilinear_up": ((64, 70), "bilinear"), "area": ((16, 16), "area")}
                for name, (size, mode) in sizes.items():
                    arrays[f"{model}.resized.{name}"] = resized(images[0], size, mode).numpy().astype(np.float32)
            for name, (scales, fuse) in MULTI_SCALE.items():
                arrays[f"{model}.{name}.logits"] = np.stack([multi_scale(net, config, image, scales, fuse).numpy() for image in images]).astype(np.float32)
            for name, settings in MIXED[model].items():
                found = [mixed(net, config, image, **settings) for image in images]
                most = max(len(patches) for _, patches, _ in found)
                arrays[f"{model}.{name}.logits"] = np.stack([logits.numpy() for logits, _, _ in found]).astype(np.float32)
                arrays[f"{model}.{name}.patches"] = np.full((len(images), most, 3), -1, np.int32)
                arrays[f"{model}.{name}.positions"] = np.zeros((len(images), most, option(config, "embed_dim", None)), np.float32)
                for i, (_, patches, positions) in enumerate(found):
                    arrays[f"{model}.{name}.patches"][i, :len(patches)] = patches
                    arrays[f"{model}.{name}.positions"][i, :len(patches)] = positions.numpy()
                print(model, name, [len(patches) for _, patches, _ in found])
    # positions of the first image alone, and of two cases of the largest model: the others' are made the same way
    arrays = {k: v[:1] if k.endswith(".positions") else v for k, v in arrays.items() if k not in ("vit20.budget.positions", "vit20.threshold.positions")}
    OUT.mkdir(exist_ok=True)
    np.savez_compressed(OUT / "golden.npz", **arrays)
    print((OUT / "golden.npz").stat().st_size, "bytes")


main()
