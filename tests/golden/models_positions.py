# SPDX-License-Identifier: GPL-3.0-or-later
"""Vision transformers whose attention knows where patches are: transformers' DINOv3 (rotary) and BEiT (relative bias).

Simeoni et al. 2025 (DINOv3, arXiv 2508.10104); Bao et al. 2022 (BEiT, arXiv 2106.08254). Patches may be turned or biased
at places that are given (`places`, `bias_of`): make_position_golden.py reduces tokens with them.
"""
import math

import torch
import torch.nn.functional as F

from models_common import ACTIVATIONS, HF_COMMON, Variant, attend, labels, pixels, split_heads
from models_hf_vit import resample_table


def centres(rows, columns):
    """(y, x) of every patch's centre in patches: [rows * columns, 2]."""
    y, x = torch.meshgrid(torch.arange(rows).double() + 0.5, torch.arange(columns).double() + 0.5, indexing="ij")
    return torch.stack([y, x], -1).reshape(-1, 2)


def angles(config, places, rows, columns):
    """2 pi (2 y / rows - 1) theta^(-4 i / dh) for i < dh / 4, then the same of x: [patches, dh / 2]."""
    width = config["hidden_size"] // config["num_attention_heads"]
    frequencies = config["rope_theta"] ** -(4 * torch.arange(width // 4).double() / width)
    at = 2 * places / torch.tensor([rows, columns]) - 1
    return (2 * math.pi * at[:, :, None] * frequencies).flatten(1)


def turned(x, angle, prefix):
    """Feature i with feature i + dh / 2 by the patch's angle i; x [..., T, dh], the first `prefix` tokens as they are."""
    half = x.shape[-1] // 2
    a, b = x[..., prefix:, :half], x[..., prefix:, half:]
    new = torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], -1)
    return torch.cat([x[..., :prefix, :], new], -2)


def dinov3_embed(net, config, root, image):
    d, patch, registers = config["hidden_size"], config["patch_size"], config["num_register_tokens"]
    x = net.patches(root + "embeddings.patch_embeddings", image, d, patch)
    n, rows, columns, _ = x.shape
    prefix = [net.tensor(root + "embeddings.cls_token", (1, 1, d), "embedding").expand(n, -1, -1)]
    if registers:
        prefix.append(net.tensor(root + "embeddings.register_tokens", (1, registers, d), "embedding").expand(n, -1, -1))
    net.tensor(root + "embeddings.mask_token", (1, 1, d), "embedding")  # used in pre-training only
    return torch.cat(prefix + [x.flatten(1, 2)], 1), rows, columns


def dinov3_qkv(net, config, name, y):
    d, heads = config["hidden_size"], config["num_attention_heads"]
    return (split_heads(net.linear(f"{name}attention.{part}_proj", y, d, bias=config[bias]), heads)
            for part, bias in (("q", "query_bias"), ("k", "key_bias"), ("v", "value_bias")))


def dinov3_mlp(net, config, name, y):
    act, inner, bias = ACTIVATIONS[config["hidden_act"]], config["intermediate_size"], config["mlp_bias"]
    if config["use_gated_mlp"]:
        hidden = act(net.linear(name + "mlp.gate_proj", y, inner, bias)) * net.linear(name + "mlp.up_proj", y, inner, bias)
    else:
        hidden = act(net.linear(name + "mlp.up_proj", y, inner, bias))
    return net.linear(name + "mlp.down_proj", hidden, config["hidden_size"], bias)


def dinov3_in(root):
    def forward(net, config, inputs):
        d, heads, eps = config["hidden_size"], config["num_attention_heads"], config["layer_norm_eps"]
        prefix = 1 + config["num_register_tokens"]
        x, rows, columns = dinov3_embed(net, config, root, inputs["pixel_values"])
        angle = angles(config, centres(rows, columns), rows, columns)
        for i in range(config["num_hidden_layers"]):
            name = f"{root}layer.{i}."
            q, k, v = dinov3_qkv(net, config, name, net.layer_norm(name + "norm1", x, eps))
            y = attend(net, i, turned(q, angle, prefix), turned(k, angle, prefix), v, (d // heads) ** -0.5)
            y = net.linear(name + "attention.o_proj", y, d, bias=config["proj_bias"])
            x = x + y * net.tensor(name + "layer_scale1.lambda1", (d,), "layer_scale")
            y = dinov3_mlp(net, config, name, net.layer_norm(name + "norm2", x, eps))
            x = x + y * net.tensor(name + "layer_scale2.lambda1", (d,), "layer_scale")
            net.keep(f"block.{i}", x)
        x = net.layer_norm(root + "norm", x, eps)
        net.keep("hidden.final", x)
        if "id2label" in config:  # the authors' linear heads read the class token beside the mean of the patches
            both = torch.cat([x[:, 0], x[:, prefix:].mean(1)], -1)
            net.keep("logits", net.linear("classifier", both, len(config["id2label"])))
        else:
            net.keep("output", x[:, 0])
    return forward


def table_index(rows, columns):
    """Row of the table for every pair of tokens: displacement, then class to patch, patch to class, class to class."""
    count = (2 * rows - 1) * (2 * columns - 1)
    place = centres(rows, columns).long()
    apart = place[:, None] - place[None] + torch.tensor([rows - 1, columns - 1])
    index = torch.zeros(1 + rows * columns, 1 + rows * columns, dtype=torch.long)
    index[1:, 1:] = apart[..., 0] * (2 * columns - 1) + apart[..., 1]
    index[0], index[:, 0], index[0, 0] = count, count + 1, count + 2
    return index


def beit_bias(net, config, name, rows, columns):
    """[heads, T, T] of the table <name>, resampled bilinearly where the grid is not the config's."""
    heads, side = config["num_attention_heads"], config["image_size"] // config["patch_size"]
    table = net.tensor(name + ".relative_position_bias_table", ((2 * side - 1) ** 2 + 3, heads), "relative_bias")
    if (rows, columns) != (side, side):
        image = table[:-3].reshape(1, 2 * side - 1, 2 * side - 1, heads).permute(0, 3, 1, 2)
        image = F.interpolate(image, size=(2 * rows - 1, 2 * columns - 1), mode="bilinear", align_corners=False)
        table = torch.cat([image.permute(0, 2, 3, 1).reshape(-1, heads), table[-3:]])
    return table[table_index(rows, columns)].permute(2, 0, 1)


def beit_embed(net, config, image):
    d, root = config["hidden_size"], "beit.embeddings."
    x = net.patches(root + "patch_embeddings.projection", image, d, config["patch_size"])
    n, rows, columns, _ = x.shape
    x = torch.cat([net.tensor(root + "cls_token", (1, 1, d), "embedding").expand(n, -1, -1), x.flatten(1, 2)], 1)
    if config["use_absolute_position_embeddings"]:
        length = (config["image_size"] // config["patch_size"]) ** 2 + 1
        x = x + resample_table(net.tensor(root + "position_embeddings", (1, length, d), "embedding"), 1, (rows, columns))
    return x, rows, columns


def beit_tables(net, config, rows, columns):
    """The bias of every block."""
    depth = config["num_hidden_layers"]
    if config["use_shared_relative_position_bias"]:
        return [beit_bias(net, config, "beit.encoder.relative_position_bias", rows, columns)] * depth
    return [beit_bias(net, config, f"beit.encoder.layer.{i}.attention.attention.relative_position_bias", rows, columns)
            for i in range(depth)]


def beit_qkv(net, config, name, y):
    d, heads = config["hidden_size"], config["num_attention_heads"]
    return (split_heads(net.linear(f"{name}attention.attention.{part}", y, d, bias=part != "key"), heads)
            for part in ("query", "key", "value"))


def beit_mlp(net, config, name, y):
    y = ACTIVATIONS[config["hidden_act"]](net.linear(name + "intermediate.dense", y, config["intermediate_size"]))
    return net.linear(name + "output.dense", y, config["hidden_size"])


def beit_pool(net, config, x):
    """What the classifier reads; x [n, T, d]."""
    eps = config["layer_norm_eps"]
    if config["use_mean_pooling"]:
        pooled = net.layer_norm("beit.pooler.layernorm", x[:, 1:].mean(1), eps)
        net.keep("hidden.final", pooled)
        return pooled
    x = net.layer_norm("beit.layernorm", x, eps)
    net.keep("hidden.final", x)
    return x[:, 0]


def beit(net, config, inputs):
    d, heads, eps = config["hidden_size"], config["num_attention_heads"], config["layer_norm_eps"]
    scaled = config["layer_scale_init_value"] > 0
    x, rows, columns = beit_embed(net, config, inputs["pixel_values"])
    biases = beit_tables(net, config, rows, columns)
    for i in range(config["num_hidden_layers"]):
        name = f"beit.encoder.layer.{i}."
        q, k, v = beit_qkv(net, config, name, net.layer_norm(name + "layernorm_before", x, eps))
        y = net.linear(name + "attention.output.dense", attend(net, i, q, k, v, (d // heads) ** -0.5, biases[i]), d)
        x = x + (y * net.tensor(name + "lambda_1", (d,), "layer_scale") if scaled else y)
        y = beit_mlp(net, config, name, net.layer_norm(name + "layernorm_after", x, eps))
        x = x + (y * net.tensor(name + "lambda_2", (d,), "layer_scale") if scaled else y)
        net.keep(f"block.{i}", x)
    net.keep("logits", net.linear("classifier", beit_pool(net, config, x), len(config["id2label"])))


def dinov3_config(**more):
    base = {"architectures": ["DINOv3ViTModel"], "model_type": "dinov3_vit", "hidden_size": 16, "num_hidden_layers": 3,
            "num_attention_heads": 2, "intermediate_size": 40, "hidden_act": "gelu", "attention_dropout": 0.0,
            "initializer_range": 0.02, "layer_norm_eps": 1e-5, "rope_theta": 100.0, "image_size": 16, "patch_size": 4,
            "num_channels": 3, "query_bias": True, "key_bias": False, "value_bias": True, "proj_bias": True,
            "mlp_bias": True, "layerscale_value": 1.0, "drop_path_rate": 0.0, "use_gated_mlp": False,
            "num_register_tokens": 2, "pos_embed_shift": None, "pos_embed_jitter": None, "pos_embed_rescale": 2.0,
            **HF_COMMON}
    return {**base, **more}


def beit_config(**more):
    base = {"architectures": ["BeitForImageClassification"], "model_type": "beit", "hidden_size": 16,
            "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 40, "hidden_act": "gelu",
            "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.02,
            "layer_norm_eps": 1e-12, "image_size": 16, "patch_size": 4, "num_channels": 3, "use_mask_token": False,
            "use_absolute_position_embeddings": False, "use_relative_position_bias": True,
            "use_shared_relative_position_bias": False, "layer_scale_init_value": 0.1, "drop_path_rate": 0.1,
            "use_mean_pooling": True, **labels(6), **HF_COMMON}
    return {**base, **more}


def variants():
    rotary = dinov3_config()
    gated = dinov3_config(num_register_tokens=0, use_gated_mlp=True, hidden_act="silu", mlp_bias=False, proj_bias=False,
                          rope_theta=37.0, **labels(6))
    per_block = beit_config()
    shared = beit_config(use_relative_position_bias=False, use_shared_relative_position_bias=True,
                         use_absolute_position_embeddings=True, use_mean_pooling=False, layer_scale_init_value=0.0)
    return [
        # The image is wider than high: both axes reach from -1 to 1.
        Variant("hf_dinov3", dinov3_in(""), rotary, pixels("hf_dinov3", 16, 24),
                [{**rotary, "rope_theta": 80.0}, {**rotary, "layer_norm_eps": 1e-2}]),
        Variant("hf_dinov3_gated", dinov3_in("dinov3_vit."), gated, pixels("hf_dinov3_gated", 16, 16),
                [{**gated, "hidden_act": "gelu"}]),
        Variant("hf_beit", beit, per_block, pixels("hf_beit", 16, 16), [{**per_block, "layer_norm_eps": 1e-2}]),
        Variant("hf_beit_resized", beit, per_block, pixels("hf_beit_resized", 24, 12)),
        Variant("hf_beit_shared", beit, shared, pixels("hf_beit_shared", 16, 16)),
    ]
