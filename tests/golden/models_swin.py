# SPDX-License-Identifier: GPL-3.0-or-later
"""Swin Transformer (Liu et al. 2021, arXiv 2103.14030) as timm and as transformers run it.

They differ where the published models never go (224 or 384 pixels, windows of 7 or 12), and here both are followed:
                         timm                                    transformers
  padding to windows     after the roll                          before the roll
  window >= resolution   each axis: window = resolution, no      if the shorter side fits: both axes lose the
                         shift; the bias table shrinks too       shift; the bias table keeps its size
  patch merging          in front of stage i + 1 since 0.9       at the end of stage i
                         (at the end of stage i before)
"""
import functools

import torch
import torch.nn.functional as F

from models_common import ACTIVATIONS, HF_COMMON, Variant, labels, pixels


def partition(x, window):
    """[n, rows, columns, c] -> [n * windows, window rows * window columns, c]."""
    n, rows, columns, c = x.shape
    x = x.reshape(n, rows // window[0], window[0], columns // window[1], window[1], c)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, window[0] * window[1], c)


def merge(x, window, rows, columns):
    """The inverse of partition."""
    x = x.reshape(-1, rows // window[0], columns // window[1], window[0], window[1], x.shape[-1])
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, rows, columns, x.shape[-1])


def pad(x, window):
    """Zeros below and to the right up to whole windows."""
    return F.pad(x, (0, 0, 0, -x.shape[2] % window[1], 0, -x.shape[1] % window[0]))


def relative_index(window):
    """Row of the bias table for (query, key) in a window: [M, M]."""
    rows = torch.arange(window[0]).repeat_interleave(window[1])
    columns = torch.arange(window[1]).repeat(window[0])
    down = rows.reshape(-1, 1) - rows + window[0] - 1
    right = columns.reshape(-1, 1) - columns + window[1] - 1
    return down * (2 * window[1] - 1) + right


def shift_mask(rows, columns, window, shift):
    """-100 between tokens of one window that the roll has brought together: [windows, M, M]; None without a shift."""
    if not any(shift):
        return None

    def regions(length, size, by):
        place = torch.arange(length)
        return (place >= length - size).long() + (place >= length - by).long() if by else torch.zeros(length).long()

    region = regions(rows, window[0], shift[0]).reshape(-1, 1) * 3 + regions(columns, window[1], shift[1])
    region = partition(region.reshape(1, rows, columns, 1), window).squeeze(-1)
    return torch.where(region.unsqueeze(1) == region.unsqueeze(2), 0.0, -100.0).double()


def window_and_shift(config, odd, rows, columns, hf):
    size = config["window_size"]
    if hf:
        smallest = min(rows, columns)
        if smallest <= size:
            assert smallest == size, "transformers fails: the bias table does not shrink"
            return (size, size), (0, 0)
        return (size, size), (size // 2 * odd,) * 2
    window = tuple(min(r, size) for r in (rows, columns))
    return window, tuple(0 if r <= size else size // 2 * odd for r in (rows, columns))


class Names:
    """The tensor names of the three layouts."""

    def __init__(self, hf):
        self.hf = hf
        self.patch = "swin.embeddings.patch_embeddings.projection" if hf else "patch_embed.proj"
        self.patch_norm = "swin.embeddings.norm" if hf else "patch_embed.norm"
        self.norm = "swin.layernorm" if hf else "norm"
        self.stages = "swin.encoder.layers." if hf else "layers."
        self.norm1, self.norm2 = ("layernorm_before", "layernorm_after") if hf else ("norm1", "norm2")
        self.table = "attention.self." if hf else "attn."
        self.proj = "attention.output.dense" if hf else "attn.proj"
        self.fc1, self.fc2 = ("intermediate.dense", "output.dense") if hf else ("mlp.fc1", "mlp.fc2")


def window_attention(net, names, name, number, x, seen, heads, window, mask, layout):
    """Attention in each window, with the bias of relative positions: [n * windows, M, c]. `seen`: x before windows."""
    count, length, c = x.shape
    if names.hf:
        q, k, v = (net.linear(f"{name}attention.self.{part}", x, c, seen=seen) for part in ("query", "key", "value"))
    else:
        q, k, v = net.linear(name + "attn.qkv", x, 3 * c, seen=seen).chunk(3, -1)
    q, k, v = (t.reshape(count, length, heads, c // heads).transpose(1, 2) for t in (q, k, v))
    entries = (2 * window[0] - 1) * (2 * window[1] - 1)
    table = net.tensor(name + names.table + "relative_position_bias_table", (entries, heads), "relative_bias")
    index = relative_index(window)
    if layout != "timm_new":
        net.buffer(name + names.table + "relative_position_index", index.numpy())
    scores = q @ k.transpose(-1, -2) * (c // heads) ** -0.5 + table[index].permute(2, 0, 1)
    if mask is not None:
        windows = mask.shape[0]
        scores = (scores.reshape(-1, windows, heads, length, length) + mask.unsqueeze(1)).reshape(scores.shape)
    weights = torch.softmax(scores, -1)
    net.keep(f"attn.{number}", weights)
    return (weights @ v).transpose(1, 2).reshape(count, length, c)


def block(net, config, names, name, number, x, heads, odd, layout):
    n, rows, columns, c = x.shape
    eps = config["layer_norm_eps"]
    window, shift = window_and_shift(config, odd, rows, columns, names.hf)
    back = (-shift[0], -shift[1])
    seen = net.layer_norm(name + names.norm1, x, eps)
    y = torch.roll(pad(seen, window), back, (1, 2)) if names.hf else pad(torch.roll(seen, back, (1, 2)), window)
    tall, wide = y.shape[1:3]
    mask = shift_mask(tall, wide, window, shift)
    if mask is not None and layout == "timm_old":
        net.buffer(name + "attn_mask", mask.float().numpy())
    y = window_attention(net, names, name, number, partition(y, window), seen, heads, window, mask, layout)
    y = merge(y, window, tall, wide)
    if names.hf:
        y = torch.roll(y, shift, (1, 2))[:, :rows, :columns]
    else:
        y = torch.roll(y[:, :rows, :columns], shift, (1, 2))
    x = x + net.linear(name + names.proj, y, c)  # row by row, so it may follow the way back from the windows
    y = net.layer_norm(name + names.norm2, x, eps)
    y = ACTIVATIONS[config["hidden_act"]](net.linear(name + names.fc1, y, int(c * config["mlp_ratio"])))
    x = x + net.linear(name + names.fc2, y, c)
    net.keep(f"block.{number}", x.reshape(n, rows * columns, c))
    return x


def patch_merging(net, name, x):
    """2 x 2 neighbours (first down, then right) -> 4 c -> norm -> 2 c; odd sides get a row or column of zeros."""
    x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
    x = torch.cat([x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], -1)
    x = net.layer_norm(name + "norm", x, 1e-5)
    return net.linear(name + "reduction", x, x.shape[-1] // 2, bias=False)


def forward(net, config, inputs, layout):
    names = Names(layout == "hf")
    eps, depths = config["layer_norm_eps"], config["depths"]
    x = net.patches(names.patch, inputs["pixel_values"], config["embed_dim"], config["patch_size"])
    x = net.layer_norm(names.patch_norm, x, 1e-5)
    number = 0
    for stage, depth in enumerate(depths):
        if stage > 0:
            at = stage if layout == "timm_new" else stage - 1
            x = patch_merging(net, f"{names.stages}{at}.downsample.", x)
        for j in range(depth):
            name = f"{names.stages}{stage}.blocks.{j}."
            x = block(net, config, names, name, number, x, config["num_heads"][stage], j % 2, layout)
            number += 1
    x = net.layer_norm(names.norm, x.flatten(1, 2), eps)
    net.keep("hidden.final", x)
    if names.hf:
        net.keep("logits", net.linear("classifier", x.mean(1), len(config["id2label"])))
    else:
        head = "head.fc" if layout == "timm_new" else "head"
        net.keep("logits", net.linear(head, x.mean(1), config["num_classes"]))


def timm_config(size, depths, heads, classes=5, dim=8, window=4):
    arguments = {"patch_size": 4, "embed_dim": dim, "depths": depths, "num_heads": heads, "window_size": window,
                 "mlp_ratio": 2}
    return {"architecture": "swin_tiny_patch4_window4_32", "num_classes": classes,
            "num_features": dim * 2 ** (len(depths) - 1), "global_pool": "avg",
            "model_args": {"img_size": size, **arguments}, "image_size": size, "in_chans": 3, "layer_norm_eps": 1e-5,
            "hidden_act": "gelu", "qkv_bias": True, **arguments,
            "pretrained_cfg": {"input_size": [3, *size], "fixed_input_size": True, "interpolation": "bicubic",
                               "crop_pct": 0.9, "crop_mode": "center", "mean": [0.485, 0.456, 0.406],
                               "std": [0.229, 0.224, 0.225], "num_classes": classes, "pool_size": [7, 7],
                               "first_conv": "patch_embed.proj", "classifier": "head.fc"}}


def hf_config(size, depths, heads, classes=5, dim=8, window=4):
    return {"architectures": ["SwinForImageClassification"], "model_type": "swin", "image_size": size, "patch_size": 4,
            "num_channels": 3, "embed_dim": dim, "depths": depths, "num_heads": heads, "num_layers": len(depths),
            "window_size": window, "mlp_ratio": 2.0, "qkv_bias": True, "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0, "drop_path_rate": 0.1, "hidden_act": "gelu",
            "use_absolute_embeddings": False, "path_norm": True, "layer_norm_eps": 1e-5, "initializer_range": 0.02,
            "encoder_stride": 32, "hidden_size": dim * 2 ** (len(depths) - 1), **labels(classes), **HF_COMMON}


def variants():
    def make(name, config, layout, size):
        return Variant(name, functools.partial(forward, layout=layout), config, pixels(name, *size))

    return [
        # 8 x 8 tokens with shift, 4 x 4 (one window, no shift), 2 x 2 (the window shrinks to 2, its table to 9 rows).
        make("timm_swin_old", timm_config([32, 32], [2, 2, 1], [2, 2, 4]), "timm_old", (32, 32)),
        # 6 x 6 tokens padded to 8 x 8 with shift, then 3 x 3 in one window of 3.
        make("timm_swin_padded", timm_config([24, 24], [2, 2], [2, 4]), "timm_new", (24, 24)),
        # 4 x 8 tokens: timm shifts along the longer side alone, transformers not at all.
        make("timm_swin_oblong", timm_config([16, 32], [2], [2]), "timm_new", (16, 32)),
        make("hf_swin_oblong", hf_config([16, 32], [2], [2]), "hf", (16, 32)),
        # 3 x 6 tokens: windows of 3 x 4, padded and shifted along the longer side.
        make("timm_swin_oblong_window", timm_config([12, 24], [2], [2]), "timm_new", (12, 24)),
        make("hf_swin", hf_config(32, [2, 2], [2, 4]), "hf", (32, 32)),
        # 7 x 7 tokens padded to 8 x 8 with shift; the merge pads to 8 x 8 and leaves 4 x 4.
        make("hf_swin_padded", hf_config(28, [2, 1], [2, 2]), "hf", (28, 28)),
    ]
