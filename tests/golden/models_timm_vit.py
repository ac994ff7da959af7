# SPDX-License-Identifier: GPL-3.0-or-later
"""timm's VisionTransformer and VisionTransformerDistilled (timm/models/vision_transformer.py, deit.py).

Dosovitskiy et al. 2021 (arXiv 2010.11929); Touvron et al. 2021 (DeiT, arXiv 2012.12877) and 2021 (LayerScale, arXiv
2103.17239); Darcet et al. 2023 (registers, arXiv 2309.16588); Dehghani et al. 2023 (q/k norm, arXiv 2302.05442).
"""
import torch
import torch.nn.functional as F

from models_common import ACTIVATIONS, Variant, attend, pixels, split_heads


def option(config, key, default):
    """The flat key, else timm's constructor argument in model_args, else timm's default."""
    if key in config:
        return config[key]
    argument = {"image_size": "img_size", "hidden_act": "act_layer"}.get(key, key)
    return config.get("model_args", {}).get(argument, default)


def resample_table(table, prefix, grid):
    """timm's resample_abs_pos_embed: square table -> grid, bicubic with antialias, prefix rows kept."""
    side = int((table.shape[1] - prefix) ** 0.5)
    assert side * side == table.shape[1] - prefix
    if (side, side) == tuple(grid):
        return table
    image = table[:, prefix:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    image = F.interpolate(image, size=tuple(grid), mode="bicubic", antialias=True)
    return torch.cat([table[:, :prefix], image.permute(0, 2, 3, 1).flatten(1, 2)], 1)


def embed(net, config, image):
    """Patches, prefix tokens and positions: [n, T, d] and the number of prefix tokens."""
    d, patch = option(config, "embed_dim", None), option(config, "patch_size", None)
    x = net.patches("patch_embed.proj", image, d, patch, bias=not option(config, "pre_norm", False))
    n, rows, columns, _ = x.shape
    x = x.flatten(1, 2)
    names = ["cls_token"] if option(config, "class_token", True) else []
    names += ["dist_token"] if option(config, "distilled", False) else []
    prefix = [net.tensor(name, (1, 1, d), "embedding") for name in names]
    registers = option(config, "reg_tokens", 0)
    if registers:
        prefix.append(net.tensor("reg_token", (1, registers, d), "embedding"))
    prefix = [p.expand(n, -1, -1) for p in prefix]
    count = sum(p.shape[1] for p in prefix)

    height, width = option(config, "image_size", None)
    outside = option(config, "no_embed_class", False)
    length = (height // patch) * (width // patch) + (0 if outside else count)
    table = net.tensor("pos_embed", (1, length, d), "embedding")
    table = resample_table(table, 0 if outside else count, (rows, columns))
    if outside:
        return torch.cat(prefix + [x + table], 1), count
    return torch.cat(prefix + [x], 1) + table, count


def block(net, config, i, x):
    d, heads = x.shape[-1], option(config, "num_heads", None)
    eps = option(config, "layer_norm_eps", 1e-6)
    name = f"blocks.{i}."

    def scaled(which, y):
        if option(config, "init_values", None) is None:
            return y
        return y * net.tensor(f"{name}{which}.gamma", (d,), "layer_scale")

    y = net.layer_norm(name + "norm1", x, eps)
    y = net.linear(name + "attn.qkv", y, 3 * d, bias=option(config, "qkv_bias", True))
    q, k, v = (split_heads(part, heads) for part in y.chunk(3, -1))
    if option(config, "qk_norm", False):
        q = net.layer_norm(name + "attn.q_norm", q, eps)
        k = net.layer_norm(name + "attn.k_norm", k, eps)
    y = attend(net, i, q, k, v, (d // heads) ** -0.5)
    x = x + scaled("ls1", net.linear(name + "attn.proj", y, d))
    y = net.layer_norm(name + "norm2", x, eps)
    y = net.linear(name + "mlp.fc1", y, int(d * option(config, "mlp_ratio", 4)))
    y = ACTIVATIONS[option(config, "hidden_act", "gelu")](y)
    x = x + scaled("ls2", net.linear(name + "mlp.fc2", y, d))
    net.keep(f"block.{i}", x)
    return x


def forward(net, config, inputs):
    eps, classes = option(config, "layer_norm_eps", 1e-6), config["num_classes"]
    x, prefix = embed(net, config, inputs["pixel_values"])
    if option(config, "pre_norm", False):
        x = net.layer_norm("norm_pre", x, eps)
    for i in range(option(config, "depth", None)):
        x = block(net, config, i, x)

    average = option(config, "global_pool", "token") == "avg"
    late = option(config, "fc_norm", None)
    late = average if late is None else late
    if not late:
        x = net.layer_norm("norm", x, eps)
    pooled = x[:, prefix:].mean(1) if average else x[:, 0]
    if late:
        pooled = net.layer_norm("fc_norm", pooled, eps)
    net.keep("hidden.final", pooled if late else x)
    logits = net.linear("head", pooled, classes)
    if option(config, "distilled", False):
        logits = (logits + net.linear("head_dist", x[:, 1], classes)) / 2
    net.keep("logits", logits)


def config(architecture, flat=True, eps=1e-6, act="gelu", patch=4, size=(16, 16), classes=7, **arguments):
    """config.json: the flat keys of datasets/vit20 (unless flat is False) and those of a timm hub folder."""
    model_args = {"img_size": list(size), "patch_size": patch, **arguments}
    pool = arguments.get("global_pool", "token")
    result = {"architecture": architecture, "num_classes": classes, "num_features": arguments["embed_dim"],
              "global_pool": pool, "model_args": model_args,
              "pretrained_cfg": {"input_size": [3, *size], "fixed_input_size": True, "interpolation": "bicubic",
                                 "crop_pct": 0.9, "crop_mode": "center", "mean": [0.485, 0.456, 0.406],
                                 "std": [0.229, 0.224, 0.225], "num_classes": classes, "pool_size": None,
                                 "first_conv": "patch_embed.proj", "classifier": "head"}}
    if act != "gelu":
        model_args["act_layer"] = act
    if flat:
        result.update({"image_size": list(size), "patch_size": patch, "in_chans": 3, "layer_norm_eps": eps,
                       "hidden_act": act, "qkv_bias": True, "class_token": True, **arguments})
    return result


def variants():
    def make(name, height=16, width=16, others=(), **arguments):
        c = config(**arguments)
        changed = [{**c, **other} for other in others]
        return Variant(name, forward, c, pixels(name, height, width), changed)

    return [
        make("timm_vit", architecture="vit_tiny_patch4_16", embed_dim=24, depth=2, num_heads=3, mlp_ratio=2,
             init_values=1e-5, others=[{"hidden_act": "gelu_tanh"}, {"layer_norm_eps": 1e-2}, {"init_values": None}]),
        make("timm_vit_avg_prenorm", architecture="vit_tiny_patch4_clip_quickgelu_16", embed_dim=16, depth=2,
             num_heads=4, mlp_ratio=3, class_token=False, global_pool="avg", pre_norm=True, act="quick_gelu", eps=1e-5,
             others=[{"hidden_act": "gelu"}]),
        make("timm_vit_gelu_tanh", architecture="vit_tiny_patch4_siglip_16", embed_dim=16, depth=2, num_heads=2,
             mlp_ratio=2, global_pool="avg", act="gelu_tanh", fc_norm=False, others=[{"hidden_act": "gelu"}]),
        make("timm_deit_distilled", architecture="deit_tiny_distilled_patch4_16", embed_dim=16, depth=2, num_heads=2,
             mlp_ratio=2, distilled=True),
        make("timm_vit_registers", architecture="vit_tiny_patch4_reg3_16", flat=False, embed_dim=16, depth=2,
             num_heads=2, mlp_ratio=2, reg_tokens=3, no_embed_class=True, init_values=1e-5),
        make("timm_vit_qk_norm", architecture="vit_tiny_patch4_qknorm_16", embed_dim=16, depth=2, num_heads=2,
             mlp_ratio=2, qk_norm=True, qkv_bias=False),
        make("timm_vit_resized", 24, 12, architecture="vit_tiny_patch4_reg2_16", embed_dim=16, depth=2, num_heads=2,
             mlp_ratio=2, reg_tokens=2),
    ]
