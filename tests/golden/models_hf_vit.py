# SPDX-License-Identifier: GPL-3.0-or-later
"""transformers' ViT, DeiT, CLIP vision tower and DINOv2.

Dosovitskiy et al. 2021 (arXiv 2010.11929); Touvron et al. 2021 (arXiv 2012.12877); Radford et al. 2021 (CLIP, arXiv
2103.00020); Oquab et al. 2023 (DINOv2, arXiv 2304.07193).
"""
import torch
import torch.nn.functional as F

from models_common import ACTIVATIONS, HF_COMMON, Variant, attend, labels, pixels, split_heads


def resample_table(table, prefix, grid):
    """interpolate_pos_encoding: square table -> grid, bicubic without antialias, half-pixel centres, prefix kept."""
    side = int((table.shape[1] - prefix) ** 0.5)
    assert side * side == table.shape[1] - prefix
    if (side, side) == tuple(grid):
        return table
    image = table[:, prefix:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    image = F.interpolate(image, size=tuple(grid), mode="bicubic", align_corners=False)
    return torch.cat([table[:, :prefix], image.permute(0, 2, 3, 1).flatten(1, 2)], 1)


def embed(net, config, root, image, tokens):
    """Patches behind the prefix tokens, plus the position table: [n, T, d]."""
    d, patch, size = config["hidden_size"], config["patch_size"], config["image_size"]
    x = net.patches(root + ".embeddings.patch_embeddings.projection", image, d, patch)
    n, rows, columns, _ = x.shape
    prefix = [net.tensor(f"{root}.embeddings.{t}", (1, 1, d), "embedding").expand(n, -1, -1) for t in tokens]
    length = (size // patch) ** 2 + len(tokens)
    table = net.tensor(root + ".embeddings.position_embeddings", (1, length, d), "embedding")
    return torch.cat(prefix + [x.flatten(1, 2)], 1) + resample_table(table, len(tokens), (rows, columns))


def self_attention(net, config, i, name, x):
    """<name>.attention.query/key/value and <name>.output.dense."""
    d, heads = config["hidden_size"], config["num_attention_heads"]
    q, k, v = (split_heads(net.linear(f"{name}.attention.{part}", x, d, bias=config["qkv_bias"]), heads)
               for part in ("query", "key", "value"))
    y = attend(net, i, q, k, v, (d // heads) ** -0.5)
    return net.linear(name + ".output.dense", y, d)


def vit_encoder(net, config, root, x):
    eps = config["layer_norm_eps"]
    for i in range(config["num_hidden_layers"]):
        name = f"{root}.encoder.layer.{i}."
        y = net.layer_norm(name + "layernorm_before", x, eps)
        x = x + self_attention(net, config, i, name + "attention", y)
        y = net.layer_norm(name + "layernorm_after", x, eps)
        y = ACTIVATIONS[config["hidden_act"]](net.linear(name + "intermediate.dense", y, config["intermediate_size"]))
        x = x + net.linear(name + "output.dense", y, config["hidden_size"])
        net.keep(f"block.{i}", x)
    x = net.layer_norm(root + ".layernorm", x, eps)
    net.keep("hidden.final", x)
    return x


def vit(net, config, inputs):
    """ViTForImageClassification."""
    x = embed(net, config, "vit", inputs["pixel_values"], ["cls_token"])
    x = vit_encoder(net, config, "vit", x)
    net.keep("logits", net.linear("classifier", x[:, 0], len(config["id2label"])))


def deit(net, config, inputs):
    """DeiTForImageClassificationWithTeacher: the mean of both heads."""
    x = embed(net, config, "deit", inputs["pixel_values"], ["cls_token", "distillation_token"])
    x = vit_encoder(net, config, "deit", x)
    count = len(config["id2label"])
    first = net.linear("cls_classifier", x[:, 0], count)
    net.keep("logits", (first + net.linear("distillation_classifier", x[:, 1], count)) / 2)


def clip(net, config, inputs):
    """CLIPVisionModelWithProjection: `output` is image_embeds, not normalised."""
    d, patch, eps = config["hidden_size"], config["patch_size"], config["layer_norm_eps"]
    heads, root = config["num_attention_heads"], "vision_model."
    x = net.patches(root + "embeddings.patch_embedding", inputs["pixel_values"], d, patch, bias=False).flatten(1, 2)
    first = net.tensor(root + "embeddings.class_embedding", (d,), "embedding")
    x = torch.cat([first.expand(x.shape[0], 1, d), x], 1)
    length = (config["image_size"] // patch) ** 2 + 1
    x = x + net.tensor(root + "embeddings.position_embedding.weight", (length, d), "embedding")
    net.buffer(root + "embeddings.position_ids", torch.arange(length).reshape(1, -1).numpy())
    x = net.layer_norm(root + "pre_layrnorm", x, eps)
    for i in range(config["num_hidden_layers"]):
        name = f"{root}encoder.layers.{i}."
        y = net.layer_norm(name + "layer_norm1", x, eps)
        q, k, v = (split_heads(net.linear(f"{name}self_attn.{part}_proj", y, d), heads) for part in "qkv")
        y = attend(net, i, q, k, v, (d // heads) ** -0.5)
        x = x + net.linear(name + "self_attn.out_proj", y, d)
        y = net.layer_norm(name + "layer_norm2", x, eps)
        y = ACTIVATIONS[config["hidden_act"]](net.linear(name + "mlp.fc1", y, config["intermediate_size"]))
        x = x + net.linear(name + "mlp.fc2", y, d)
        net.keep(f"block.{i}", x)
    pooled = net.layer_norm(root + "post_layernorm", x[:, 0], eps)
    net.keep("hidden.final", pooled)
    net.keep("output", net.linear("visual_projection", pooled, config["projection_dim"], bias=False))


def dinov2(net, config, inputs):
    """Dinov2ForImageClassification: the head reads the class token beside the mean of the patch tokens."""
    assert not config["use_swiglu_ffn"]
    d, eps, root = config["hidden_size"], config["layer_norm_eps"], "dinov2"
    x = embed(net, config, root, inputs["pixel_values"], ["cls_token"])
    net.tensor(root + ".embeddings.mask_token", (1, d), "embedding")  # used in pre-training only
    for i in range(config["num_hidden_layers"]):
        name = f"{root}.encoder.layer.{i}."
        y = self_attention(net, config, i, name + "attention", net.layer_norm(name + "norm1", x, eps))
        x = x + y * net.tensor(name + "layer_scale1.lambda1", (d,), "layer_scale")
        y = net.linear(name + "mlp.fc1", net.layer_norm(name + "norm2", x, eps), int(d * config["mlp_ratio"]))
        y = net.linear(name + "mlp.fc2", ACTIVATIONS[config["hidden_act"]](y), d)
        x = x + y * net.tensor(name + "layer_scale2.lambda1", (d,), "layer_scale")
        net.keep(f"block.{i}", x)
    x = net.layer_norm(root + ".layernorm", x, eps)
    net.keep("hidden.final", x)
    both = torch.cat([x[:, 0], x[:, 1:].mean(1)], -1)
    net.keep("logits", net.linear("classifier", both, len(config["id2label"])))


def config(model_type, architecture, classes=6, **more):
    base = {"architectures": [architecture], "model_type": model_type, "hidden_size": 16, "num_hidden_layers": 2,
            "num_attention_heads": 2, "intermediate_size": 40, "hidden_act": "gelu", "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0, "initializer_range": 0.02, "layer_norm_eps": 1e-12, "image_size": 16,
            "patch_size": 4, "num_channels": 3, "qkv_bias": True, "encoder_stride": 16, **labels(classes), **HF_COMMON}
    return {**base, **more}


def variants():
    # Biases are switched off in DeiT, so that both settings of qkv_bias are seen.
    vit_config = config("vit", "ViTForImageClassification")
    deit_config = config("deit", "DeiTForImageClassificationWithTeacher", qkv_bias=False, hidden_act="gelu_new")
    clip_config = {"architectures": ["CLIPVisionModelWithProjection"], "model_type": "clip_vision_model",
                   "hidden_size": 16, "intermediate_size": 32, "projection_dim": 12, "num_hidden_layers": 2,
                   "num_attention_heads": 2, "num_channels": 3, "image_size": 16, "patch_size": 4,
                   "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "attention_dropout": 0.0, "dropout": 0.0,
                   "initializer_range": 0.02, "initializer_factor": 1.0, **HF_COMMON}
    dino_config = config("dinov2", "Dinov2ForImageClassification", mlp_ratio=2, layer_norm_eps=1e-6, image_size=20,
                         layerscale_value=1.0, drop_path_rate=0.0, use_swiglu_ffn=False, apply_layernorm=True,
                         reshape_hidden_states=True)
    for key in ("intermediate_size", "encoder_stride"):
        del dino_config[key]
    return [
        Variant("hf_vit", vit, vit_config, pixels("hf_vit", 16, 16),
                [{**vit_config, "hidden_act": "gelu_new"}, {**vit_config, "layer_norm_eps": 1e-2}]),
        Variant("hf_vit_resized", vit, vit_config, pixels("hf_vit_resized", 12, 24)),
        Variant("hf_deit_distilled", deit, deit_config, pixels("hf_deit_distilled", 16, 16)),
        Variant("hf_clip_vision", clip, clip_config, pixels("hf_clip_vision", 16, 16),
                [{**clip_config, "hidden_act": "gelu"}]),
        # The table is 5 x 5 and the image 4 x 4: DINOv2 interpolates on every call, as dinov2-base does at 224.
        Variant("hf_dinov2", dinov2, dino_config, pixels("hf_dinov2", 16, 16)),
    ]
