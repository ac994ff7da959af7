# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the reference itself: against torch's own modules and a trained model, and that nothing is idle."""
import json

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import models_common as common
import models_timm_vit

TIGHT = 1e-11  # two float64 evaluations of the same formula on numbers of order 10


def close(found, expected, what, tolerance=TIGHT):
    worst = float((found - expected).abs().max() / expected.abs().max())
    assert worst < tolerance, f"{what}: relative difference {worst:.2e}"


def check_timm_vit_against_torch():
    """Pre-norm blocks are nn.TransformerEncoderLayer with norm_first and gelu."""
    arguments = dict(embed_dim=24, depth=2, num_heads=3, mlp_ratio=2)
    config = models_timm_vit.config("check", **arguments)
    inputs = common.pixels("check", 16, 16)
    variant = common.Variant("check", models_timm_vit.forward, config, inputs)
    net = variant.build()
    t = net.tensors
    x = F.conv2d(inputs["pixel_values"], t["patch_embed.proj.weight"], t["patch_embed.proj.bias"], stride=4)
    x = torch.cat([t["cls_token"].expand(2, -1, -1), x.flatten(2).transpose(1, 2)], 1) + t["pos_embed"]
    for i in range(2):
        layer = nn.TransformerEncoderLayer(24, 3, 48, 0.0, "gelu", 1e-6, batch_first=True, norm_first=True).double()
        names = {"self_attn.in_proj_": "attn.qkv.", "self_attn.out_proj.": "attn.proj.", "linear1.": "mlp.fc1.",
                 "linear2.": "mlp.fc2.", "norm1.": "norm1.", "norm2.": "norm2."}
        layer.load_state_dict({a + p: t[f"blocks.{i}.{b}{p}"] for a, b in names.items() for p in ("weight", "bias")})
        layer.train()  # the plain path, not the fused inference kernel; dropout is 0
        with torch.no_grad():
            x = layer(x)
        close(net.record[f"block.{i}"], x, f"timm vit block {i}")
    x = F.layer_norm(x, (24,), t["norm.weight"], t["norm.bias"], 1e-6)
    close(net.record["logits"], F.linear(x[:, 0], t["head.weight"], t["head.bias"]), "timm vit logits")


def check_vit20(folder):
    """The trained vit20 and its float32 outputs: float32 rounding through 6 blocks stays below 1e-5 of the largest."""
    tensors = {k: torch.from_numpy(v.astype(np.float64))
               for k, v in common.read_safetensors(folder / "model.safetensors").items()}
    config = json.loads((folder / "config.json").read_text())
    golden = np.load(folder / "golden.npz")
    net = common.Net(tensors=tensors)
    with torch.no_grad():
        models_timm_vit.forward(net, config, {"pixel_values": torch.from_numpy(golden["input"]).double()})
    for key in ["logits"] + [f"block.{i}" for i in range(config["depth"])]:
        expected = torch.from_numpy(golden[key.replace(".", "")]).double()
        close(net.record[key], expected, f"vit20 {key}", 1e-5)


def check_against_torch(vit20):
    check_timm_vit_against_torch()
    check_vit20(vit20)


def largest_change(first, second):
    """The largest change of any recorded array, relative to that array's largest value."""
    changes = [1.0 if a.shape != second[k].shape else float((a - second[k]).abs().max() / a.abs().max())
               for k, a in first.items() if k in second]
    return max(changes) if changes else 0.0


def idle_by_nature(name):
    """A key bias shifts a row of scores by a constant unless a rotation or a norm follows; the mask token is unused."""
    rotated = name.startswith("model.layers.") or "attn.qkv" in name
    return name.endswith("mask_token") or ("bias" in name and ".k" in name and not rotated)


def check_everything_matters(variant, net):
    """Every float tensor moves a recorded number by a thousandth, every listed option by 5e-5 (gelu and its tanh form
    differ by 5e-4 at most, anywhere) of the largest number of that array."""
    for name, value in net.record.items():
        largest = float(value.abs().max())
        assert np.isfinite(largest) and 0.01 < largest < 60, f"{variant.name}: {name} reaches {largest}"
    for name, tensor in net.tensors.items():
        if idle_by_nature(name):
            continue
        moved = largest_change(net.record, variant.rerun(net, changed={name: tensor * 1.3 + 0.1}))
        assert moved > 1e-3, f"{variant.name}: {name} matters by {moved:.1e} only"
    for other in variant.others:
        different = {k: v for k, v in other.items() if variant.config.get(k) != v}
        moved = largest_change(net.record, variant.rerun(net, other))
        assert moved > 5e-5, f"{variant.name}: {different} matters by {moved:.1e} only"
