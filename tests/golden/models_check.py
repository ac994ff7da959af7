# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the reference itself: against torch's own modules and a trained model, and that nothing is idle."""
import json

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import models_common as common
import models_decoders
import models_positions
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


VIT = ("layernorm_before", "attention.attention.{}", "attention.output.dense", "layernorm_after",
       "intermediate.dense", "output.dense")
CLIP = ("layer_norm1", "self_attn.{}_proj", "self_attn.out_proj", "layer_norm2", "mlp.fc1", "mlp.fc2")
GPT2 = ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")
OPT = ("self_attn_layer_norm", "self_attn.{}_proj", "self_attn.out_proj", "final_layer_norm", "fc1", "fc2")
BERT = ("attention.output.LayerNorm", "attention.self.{}", "attention.output.dense", "output.LayerNorm",
        "intermediate.dense", "output.dense")
WORDS, LETTERS = ("query", "key", "value"), "qkv"
# Variants whose block is torch's TransformerEncoderLayer:
#   variant -> prefix of block 1, its six names, the names of q, k, v, eps, norm first, causal
ENCODER_LAYERS = {
    "hf_vit": ("vit.encoder.layer.1.", VIT, WORDS, 1e-12, True, False),
    "hf_clip_vision": ("vision_model.encoder.layers.1.", CLIP, LETTERS, 1e-5, True, False),
    "gpt2": ("transformer.h.1.", GPT2, None, 1e-5, True, True),
    "opt": ("model.decoder.layers.1.", OPT, LETTERS, 1e-5, True, True),
    "opt_post_norm_projected": ("model.decoder.layers.1.", OPT, LETTERS, 1e-5, False, True),
    "bert_classifier": ("bert.encoder.layer.1.", BERT, WORDS, 1e-12, False, False),
    "roberta_masked": ("roberta.encoder.layer.1.", BERT, WORDS, 1e-5, False, False),
}


def check_encoder_layer(variant, net):
    """Block 1 of the variant is nn.TransformerEncoderLayer on the output of block 0, masks included."""
    prefix, names, parts, eps, norm_first, causal = ENCODER_LAYERS[variant.name]
    norm1, qkv, proj, norm2, fc1, fc2 = names
    config, t = variant.config, net.tensors
    heads = config.get("num_attention_heads") or config["n_head"]
    act = common.ACTIVATIONS[config.get("hidden_act") or config["activation_function"]]

    def tensor(name, kind):
        value = t[f"{prefix}{name}.{kind}"]
        return value.T if names is GPT2 and value.dim() == 2 else value

    state = {}
    for kind in ("weight", "bias"):
        state["self_attn.in_proj_" + kind] = torch.cat([tensor(qkv.format(p), kind) for p in parts or [""]])
        for ours, theirs in ((proj, "self_attn.out_proj"), (fc1, "linear1"), (fc2, "linear2"), (norm1, "norm1"),
                             (norm2, "norm2")):
            state[f"{theirs}.{kind}"] = tensor(ours, kind)
    d, inner = state["norm1.weight"].shape[0], state["linear1.weight"].shape[0]
    layer = nn.TransformerEncoderLayer(d, heads, inner, 0.0, act, eps, batch_first=True, norm_first=norm_first).double()
    layer.load_state_dict(state)
    x = net.record["block.0"]
    later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1) if causal else None
    padding = variant.inputs["attention_mask"] == 0 if "attention_mask" in variant.inputs else None
    with torch.no_grad():  # in training mode: the plain path, not the fused one; dropout is 0
        close(net.record["block.1"], layer(x, later, padding), f"{variant.name} against TransformerEncoderLayer")


def check_swin_shift(variant, net, prefix, norm):
    """Attention of the shifted block 1, twice: by windows, and as one dense softmax over all pairs of tokens of the
    padded image in which only tokens of one shifted window that lie on the same side of both wraps see each other."""
    t, m, s = net.tensors, variant.config["window_size"], variant.config["window_size"] // 2
    y = F.layer_norm(net.record["block.0"], t[prefix + norm + ".bias"].shape, t[prefix + norm + ".weight"],
                     t[prefix + norm + ".bias"], 1e-5)
    n, length, c = y.shape
    side = int(length ** 0.5)
    full = -(-side // m) * m
    y = F.pad(y.reshape(n, side, side, c), (0, 0, 0, full - side, 0, full - side)).reshape(n, full * full, c)
    place = torch.stack(torch.meshgrid(torch.arange(full), torch.arange(full), indexing="ij"), -1).reshape(-1, 2)
    group = torch.cat([(place - s) % full // m, (place < s).long()], 1)
    together = (group[:, None] == group[None]).all(-1)
    apart = (place[:, None] - place[None]).clamp(1 - m, m - 1) + m - 1
    where = prefix + ("attention.self." if "swin." in prefix else "attn.")
    heads = t[where + "relative_position_bias_table"].shape[1]
    bias = t[where + "relative_position_bias_table"][apart[..., 0] * (2 * m - 1) + apart[..., 1]].permute(2, 0, 1)
    if "swin." in prefix:
        qkv = [F.linear(y, t[f"{where}{p}.weight"], t[f"{where}{p}.bias"]) for p in WORDS]
    else:
        qkv = F.linear(y, t[where + "qkv.weight"], t[where + "qkv.bias"]).chunk(3, -1)
    q, k, v = (common.split_heads(part, heads) for part in qkv)
    scores = (q @ k.transpose(-1, -2) / (c // heads) ** 0.5 + bias).masked_fill(~together, -float("inf"))
    dense = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, full, full, c)
    proj = "attention.output.dense" if "swin." in prefix else "attn.proj"
    close(net.record[f"in.{prefix}{proj}"], dense[:, :side, :side].reshape(-1, c), f"{variant.name} shifted windows")


def check_padding(variant, net):
    """Real tokens do not see padding: the second sample alone, cut before its padding, gives the same numbers."""
    length = int(variant.inputs["attention_mask"][1].sum())
    alone = common.Variant(variant.name, variant.forward, variant.config,
                           {k: v[1:, :length] for k, v in variant.inputs.items()})
    record = alone.rerun(net)
    close(record["hidden.final"], net.record["hidden.final"][1:, :length], f"{variant.name} without padding")
    logits = net.record["logits"][1:]
    close(record["logits"], logits[:, :length] if logits.dim() == 3 else logits, f"{variant.name} without padding")


def check_rotary():
    """Rotation is a product of complex numbers (RoFormer, eq. 14), so scores depend on distances alone."""
    config = {"rope_theta": 50.0, "max_position_embeddings": 64}
    x = torch.from_numpy(np.random.RandomState(3).standard_normal((9, 8)))
    ours = models_decoders.rotate(x, *models_decoders.rotary(config, 8, 9))
    angles = torch.outer(torch.arange(9).double(), 50.0 ** -(torch.arange(4).double() / 4))
    turn = torch.polar(torch.ones_like(angles), angles)
    theirs = torch.complex(x[:, :4], x[:, 4:]) * turn
    close(ours, torch.cat([theirs.real, theirs.imag], 1), "rotary positions")
    same = models_decoders.rotate(x[:1].expand(9, 8), *models_decoders.rotary(config, 8, 9))
    products = same @ same.T
    close(products[1:, 1:], products[:-1, :-1], "rotary distances")


def check_patch_rotation():
    """Turned patches are products of complex numbers, and scores depend on the displacement of two patches alone."""
    config = {"hidden_size": 8, "num_attention_heads": 1, "rope_theta": 50.0}
    x = torch.from_numpy(np.random.RandomState(4).standard_normal((1 + 15, 8)))
    angle = models_positions.angles(config, models_positions.centres(3, 5), 3, 5)
    ours = models_positions.turned(x, angle, 1)
    theirs = torch.complex(x[1:, :4], x[1:, 4:]) * torch.polar(torch.ones_like(angle), angle)
    close(ours[1:], torch.cat([theirs.real, theirs.imag], 1), "rotary patches")
    assert bool((ours[0] == x[0]).all())
    same = models_positions.turned(x[:1].expand(16, 8), angle, 1)[1:].reshape(3, 5, 8)
    down = (same[1:] * same[:-1, :1]).sum(-1)
    close(down[1], down[0], "rotary displacements")


def check_displacements():
    """The row of BEiT's table of every pair, counted pair by pair; equal displacements share it."""
    index = models_positions.table_index(2, 3)
    for query in range(6):
        for key in range(6):
            down, across = query // 3 - key // 3, query % 3 - key % 3
            assert int(index[1 + query, 1 + key]) == (down + 1) * 5 + across + 2
    assert index[0, 1:].unique().tolist() == [15] and index[1:, 0].unique().tolist() == [16] and int(index[0, 0]) == 17


def check_against_torch(vit20):
    """What needs no variant."""
    check_timm_vit_against_torch()
    check_vit20(vit20)
    check_rotary()
    check_patch_rotation()
    check_displacements()


def check_variant(variant, net):
    """What needs one."""
    check_everything_matters(variant, net)
    if variant.name in ENCODER_LAYERS:
        check_encoder_layer(variant, net)
    if "attention_mask" in variant.inputs:
        check_padding(variant, net)
    if variant.name == "timm_swin_old":
        check_swin_shift(variant, net, "layers.0.blocks.1.", "norm1")
    if variant.name in ("hf_swin", "hf_swin_padded"):
        check_swin_shift(variant, net, "swin.encoder.layers.0.blocks.1.", "layernorm_before")


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
