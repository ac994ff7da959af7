# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a model that Tamis compressed, in PyTorch. Needs this file, factors.safetensors and config.json in one folder.

    import tamis_model
    model = tamis_model.load("exported")          # ViT (timm's names), LLaMA, Mistral, Qwen2, Qwen3, GPT-2
    logits = model(torch.tensor([[1, 2, 3]]))     # token ids [n, T], or images [n, channels, height, width], normalised

    tamis_model.replace_linears(other, "exported")  # puts the compressed operators into a model of your own, by module name

    python3 tamis_model.py exported               # prints operators and parameters
"""
import json
import math
import os
import struct
import sys

import torch
import torch.nn.functional as F
from torch import nn

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
          "I64": torch.int64, "I32": torch.int32, "I8": torch.int8, "U8": torch.uint8}
FORMS = (".weight", ".lowrank_b", ".remap_b", ".selected_weight")
ACTIVATIONS = {
    "gelu": F.gelu, "relu": F.relu, "silu": F.silu,
    "gelu_new": lambda x: F.gelu(x, approximate="tanh"), "gelu_pytorch_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
}


def read_safetensors(path):
    """{name: tensor}: 8 bytes little-endian header length, JSON header, data."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        body = bytearray(file.read())
    found = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        dtype = DTYPES[entry["dtype"]]
        flat = torch.frombuffer(body, dtype=dtype, count=(end - begin) // torch.empty((), dtype=dtype).element_size(),
                                offset=begin) if end > begin else torch.empty(0, dtype=dtype)
        found[name] = flat.reshape(entry["shape"])
    return found


def read_folder(folder):
    """(tensors, config) of an export."""
    index = os.path.join(folder, "factors.safetensors.index.json")
    if os.path.exists(index):
        with open(index) as file:
            files = sorted(set(json.load(file)["weight_map"].values()))
    else:
        files = ["factors.safetensors"]
    tensors = {}
    for file in files:
        tensors.update(read_safetensors(os.path.join(folder, file)))
    with open(os.path.join(folder, "config.json")) as file:
        return tensors, json.load(file)


class Dense(nn.Module):
    """y = x W^T + b."""

    def __init__(self, weight, bias):
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), None if bias is None else nn.Parameter(bias)

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)


class Factors(nn.Module):
    """y = (x A^T) B^T + b with a [r, in], b [out, r]."""

    def __init__(self, b, a, bias):
        super().__init__()
        self.a, self.b, self.bias = nn.Parameter(a), nn.Parameter(b), None if bias is None else nn.Parameter(bias)

    def forward(self, x):
        return F.linear(F.linear(x, self.a), self.b, self.bias)


class BlockIdentity(nn.Module):
    """With z[j] = x[permutation[j]]: y = (z[:r] + z[r:] C^T) B^T + b with c [r, in - r], b [out, r]."""

    def __init__(self, b, c, permutation, bias):
        super().__init__()
        self.c, self.b, self.bias = nn.Parameter(c), nn.Parameter(b), None if bias is None else nn.Parameter(bias)
        self.register_buffer("permutation", permutation)

    def forward(self, x):
        z, r = x[..., self.permutation], self.c.shape[0]
        return F.linear(z[..., :r] + F.linear(z[..., r:], self.c), self.b, self.bias)


class Remapped(nn.Module):
    """Dobi-SVD's packing: 8-bit rows of both factors beside half floats. Kept as stored; decoded to float32 in each call."""

    NAMES = ("b", "a", "b_rest", "a_rest", "scale_b", "scale_a", "scale")

    def __init__(self, tensors, name, bias):
        super().__init__()
        for part in self.NAMES:
            self.register_buffer(part, tensors.get(f"{name}.remap_{part}"))
        self.bias = None if bias is None else nn.Parameter(bias)

    def factors(self):
        b = self.scale_b.float()[:, None] / 127 * self.b.float()
        a = self.a.float() * (self.scale_a.float() / 127)
        if self.b_rest is not None:
            b = torch.cat([b, self.b_rest.float()])
        if self.a_rest is not None:
            a = torch.cat([a, self.a_rest.float()], 1)
        return b, self.scale.float()[:, None] * a

    def forward(self, x):
        b, a = self.factors()
        return F.linear(F.linear(x, a), b, self.bias)


class Selected(nn.Module):
    """A dense block, zero elsewhere: y[j] = (x[columns] W^T)[rows[j] - 1] + b[j], y[j] = b[j] where rows[j] is 0."""

    def __init__(self, weight, rows, columns, bias):
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), None if bias is None else nn.Parameter(bias)
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns)

    def forward(self, x):
        y = F.linear(x if self.columns is None else x[..., self.columns], self.weight)
        if self.rows is not None:
            y = F.pad(y, (1, 0))[..., self.rows]
        return y if self.bias is None else y + self.bias


class Stacked(nn.Module):
    """Outputs of several operators side by side."""

    def __init__(self, parts):
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x):
        return torch.cat([part(x) for part in self.parts], -1)


def has_operator(tensors, name):
    return any(name + form in tensors or name + ".part0" + form in tensors for form in FORMS)


def operator(tensors, name, transposed=False):
    """The operator `name` in whatever form the file holds it. `transposed`: dense weights are [in, out] (GPT-2)."""
    number = lambda key: tensors[key].float() if key in tensors else None
    if name + ".weight" in tensors:
        weight = number(name + ".weight")
        return Dense(weight.T.contiguous() if transposed else weight.flatten(1), number(name + ".bias"))
    if has_operator(tensors, name + ".part0"):
        parts = []
        while has_operator(tensors, f"{name}.part{len(parts)}"):
            parts.append(operator(tensors, f"{name}.part{len(parts)}"))
        return Stacked(parts)
    if name + ".lowrank_b" in tensors:
        b, a, bias = number(name + ".lowrank_b"), number(name + ".lowrank_a"), number(name + ".bias")
        if name + ".lowrank_perm" in tensors:
            return BlockIdentity(b, a, tensors[name + ".lowrank_perm"].long(), bias)
        return Factors(b, a, bias)
    if name + ".remap_b" in tensors:
        return Remapped(tensors, name, number(name + ".bias"))
    if name + ".selected_weight" in tensors:
        index = lambda key: tensors[key].long() if key in tensors else None
        return Selected(number(name + ".selected_weight"), index(name + ".selected_rows"), index(name + ".selected_columns"), number(name + ".bias"))
    raise KeyError(f"{name}: no operator of that name, or in a form that this file does not run")


class Norm(nn.Module):
    def __init__(self, tensors, name, epsilon, rms=False):
        super().__init__()
        self.weight = nn.Parameter(tensors[name + ".weight"].float())
        self.bias = nn.Parameter(tensors[name + ".bias"].float()) if name + ".bias" in tensors else None
        self.epsilon, self.rms = epsilon, rms

    def forward(self, x):
        if self.rms:
            return self.weight * (x * torch.rsqrt((x * x).mean(-1, keepdim=True) + self.epsilon))
        return F.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.epsilon)


def attend(q, k, v, heads, scale, mask=None):
    """q [n, T, heads dh], k and v [n, T, groups dh]: softmax(q k^T scale + mask) v, heads merged."""
    n, t, _ = q.shape
    dim = q.shape[-1] // heads
    split = lambda x: x.reshape(n, t, -1, dim).transpose(1, 2)
    q, k, v = split(q), split(k), split(v)
    k, v = (x.repeat_interleave(heads // x.shape[1], 1) for x in (k, v))
    scores = q @ k.transpose(-1, -2) * scale
    weights = torch.softmax(scores if mask is None else scores + mask, -1)
    return (weights @ v).transpose(1, 2).reshape(n, t, -1)


def causal_mask(length, window, device):
    i, j = torch.arange(length, device=device).reshape(-1, 1), torch.arange(length, device=device)
    seen = (j <= i) if window is None else (j <= i) & (j > i - window)
    return torch.zeros(length, length, device=device).masked_fill(~seen, -math.inf)


class VisionTransformer(nn.Module):
    """timm's: class and distillation tokens, pre-norm, LayerScale, pooling of the class token or of all patches."""

    def __init__(self, tensors, config):
        super().__init__()
        option = lambda key, other: config.get(key, config.get("model_args", {}).get(key, other))
        epsilon, activation = option("layer_norm_eps", 1e-6), option("hidden_act", option("act_layer", "gelu"))
        self.heads, self.activation = option("num_heads", None), ACTIVATIONS[activation]
        self.patch = option("patch_size", None)
        parameter = lambda name: nn.Parameter(tensors[name].float()) if name in tensors else None
        self.embed = operator(tensors, "patch_embed.proj")
        self.tokens = nn.ParameterList([parameter(n) for n in ("cls_token", "dist_token", "reg_token") if n in tensors])
        self.prefix = sum(t.shape[1] for t in self.tokens)
        self.positions, self.outside = parameter("pos_embed"), option("no_embed_class", False)
        norm = lambda name: Norm(tensors, name, epsilon) if name + ".weight" in tensors else nn.Identity()
        self.before, self.after, self.late = norm("norm_pre"), norm("norm"), norm("fc_norm")
        self.average = option("global_pool", "token") == "avg"
        self.blocks = nn.ModuleList()
        for i in range(option("depth", None)):
            name = f"blocks.{i}."
            block = nn.ModuleDict({"norm1": norm(name + "norm1"), "norm2": norm(name + "norm2"),
                                   "q_norm": norm(name + "attn.q_norm"), "k_norm": norm(name + "attn.k_norm")})
            for short, full in (("qkv", "attn.qkv"), ("proj", "attn.proj"), ("fc1", "mlp.fc1"), ("fc2", "mlp.fc2")):
                block[short] = operator(tensors, name + full)
            block.scales = nn.ParameterList([parameter(name + ls) for ls in ("ls1.gamma", "ls2.gamma") if name + ls in tensors])
            self.blocks.append(block)
        self.head = operator(tensors, "head") if has_operator(tensors, "head") else nn.Identity()
        self.head_dist = operator(tensors, "head_dist") if has_operator(tensors, "head_dist") else None

    def attention(self, block, x):
        q, k, v = block["qkv"](x).chunk(3, -1)
        n, t, d = q.shape
        per_head = lambda norm, y: norm(y.reshape(n, t, self.heads, -1)).reshape(n, t, d)
        q, k = per_head(block["q_norm"], q), per_head(block["k_norm"], k)
        return block["proj"](attend(q, k, v, self.heads, (d // self.heads) ** -0.5))

    def forward(self, images):
        n, channels, height, width = images.shape
        p = self.patch
        x = images.reshape(n, channels, height // p, p, width // p, p).permute(0, 2, 4, 1, 3, 5)
        x = self.embed(x.reshape(n, (height // p) * (width // p), -1))
        prefix = [token.expand(n, -1, -1) for token in self.tokens]
        expected = x.shape[1] + (0 if self.outside else self.prefix)
        if self.positions.shape[1] != expected:
            raise ValueError(f"images of {height} x {width} give {expected} positions, expected {self.positions.shape[1]}")
        x = torch.cat(prefix + [x + self.positions], 1) if self.outside else torch.cat(prefix + [x], 1) + self.positions
        x = self.before(x)
        for block in self.blocks:
            scale = lambda i, y: y * block.scales[i] if len(block.scales) else y
            x = x + scale(0, self.attention(block, block["norm1"](x)))
            x = x + scale(1, block["fc2"](self.activation(block["fc1"](block["norm2"](x)))))
        x = self.after(x)
        logits = self.head(self.late(x[:, self.prefix:].mean(1) if self.average else x[:, 0]))
        return logits if self.head_dist is None else (logits + self.head_dist(x[:, 1])) / 2


def rotary(config, dim, length, device):
    """cos and sin [length, dim] of the half-rotated layout; plain, linear and LLaMA 3 scaling."""
    scaling = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = scaling.get("rope_theta", config.get("rope_theta", 10000.0))
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    frequencies = theta ** -(torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    if kind == "linear":
        frequencies = frequencies / scaling["factor"]
    elif kind == "llama3":
        old, factor = scaling["original_max_position_embeddings"], scaling["factor"]
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        wavelength = 2 * math.pi / frequencies
        blend = (old / wavelength - low) / (high - low)
        between = (1 - blend) * frequencies / factor + blend * frequencies
        kept = torch.where(wavelength < old / high, frequencies, between)
        frequencies = torch.where(wavelength > old / low, frequencies / factor, kept)
    elif kind != "default":
        raise NotImplementedError(f"rope scaling '{kind}' is not run by this file")
    angles = torch.arange(length, dtype=torch.float64).reshape(-1, 1) * frequencies
    angles = torch.cat([angles, angles], -1).to(device)
    return angles.cos().float(), angles.sin().float()


class Decoder(nn.Module):
    """LLaMA, Mistral, Qwen2 and Qwen3 for causal language modelling."""

    def __init__(self, tensors, config):
        super().__init__()
        self.config, epsilon = config, config["rms_norm_eps"]
        self.heads, self.groups = config["num_attention_heads"], config.get("num_key_value_heads") or config["num_attention_heads"]
        self.dim = config.get("head_dim") or config["hidden_size"] // self.heads
        self.activation = ACTIVATIONS[config.get("hidden_act", "silu")]
        norm = lambda name: Norm(tensors, name, epsilon, True) if name + ".weight" in tensors else nn.Identity()
        self.embedding = nn.Parameter(tensors["model.embed_tokens.weight"].float())
        self.blocks = nn.ModuleList()
        for i in range(config["num_hidden_layers"]):
            name = f"model.layers.{i}."
            block = nn.ModuleDict({"norm1": norm(name + "input_layernorm"), "norm2": norm(name + "post_attention_layernorm"),
                                   "q_norm": norm(name + "self_attn.q_norm"), "k_norm": norm(name + "self_attn.k_norm")})
            for short in ("q_proj", "k_proj", "v_proj", "o_proj"):
                block[short] = operator(tensors, name + "self_attn." + short)
            for short in ("gate_proj", "up_proj", "down_proj"):
                block[short] = operator(tensors, name + "mlp." + short)
            self.blocks.append(block)
        self.norm = norm("model.norm")
        self.head = operator(tensors, "lm_head") if has_operator(tensors, "lm_head") else None

    def window(self, i):
        family = self.config["model_type"]
        if family == "mistral":
            return self.config.get("sliding_window")
        if family in ("qwen2", "qwen3") and self.config.get("use_sliding_window"):
            return self.config["sliding_window"] if i >= self.config["max_window_layers"] else None
        return None

    def attention(self, i, block, x, cos, sin):
        n, t, _ = x.shape

        def turned(y, heads, norm):
            y = norm(y.reshape(n, t, heads, self.dim))
            first, second = y.chunk(2, -1)
            y = y * cos[:, None] + torch.cat([-second, first], -1) * sin[:, None]
            return y.reshape(n, t, heads * self.dim)

        q = turned(block["q_proj"](x), self.heads, block["q_norm"])
        k = turned(block["k_proj"](x), self.groups, block["k_norm"])
        mask = causal_mask(t, self.window(i), x.device)
        return block["o_proj"](attend(q, k, block["v_proj"](x), self.heads, self.dim ** -0.5, mask))

    def forward(self, ids):
        x = self.embedding[ids]
        cos, sin = rotary(self.config, self.dim, ids.shape[1], ids.device)
        for i, block in enumerate(self.blocks):
            x = x + self.attention(i, block, block["norm1"](x), cos, sin)
            y = block["norm2"](x)
            x = x + block["down_proj"](self.activation(block["gate_proj"](y)) * block["up_proj"](y))
        x = self.norm(x)
        return F.linear(x, self.embedding) if self.head is None else self.head(x)


class Gpt2(nn.Module):
    def __init__(self, tensors, config):
        super().__init__()
        prefix = "transformer." if "transformer.wte.weight" in tensors else ""
        self.config, epsilon = config, config["layer_norm_epsilon"]
        self.embedding = nn.Parameter(tensors[prefix + "wte.weight"].float())
        self.positions = nn.Parameter(tensors[prefix + "wpe.weight"].float())
        self.blocks = nn.ModuleList()
        for i in range(config["n_layer"]):
            name = f"{prefix}h.{i}."
            block = nn.ModuleDict({"ln_1": Norm(tensors, name + "ln_1", epsilon), "ln_2": Norm(tensors, name + "ln_2", epsilon)})
            for short, full in (("qkv", "attn.c_attn"), ("proj", "attn.c_proj"), ("fc", "mlp.c_fc"), ("out", "mlp.c_proj")):
                block[short] = operator(tensors, name + full, transposed=True)
            self.blocks.append(block)
        self.norm = Norm(tensors, prefix + "ln_f", epsilon)

    def forward(self, ids):
        heads, activation = self.config["n_head"], ACTIVATIONS[self.config["activation_function"]]
        x = self.embedding[ids] + self.positions[:ids.shape[1]]
        mask = causal_mask(ids.shape[1], None, ids.device)
        for i, block in enumerate(self.blocks):
            q, k, v = block["qkv"](block["ln_1"](x)).chunk(3, -1)
            scale = (q.shape[-1] // heads) ** -0.5 if self.config.get("scale_attn_weights", True) else 1.0
            if self.config.get("scale_attn_by_inverse_layer_idx"):
                scale /= i + 1
            x = x + block["proj"](attend(q, k, v, heads, scale, mask))
            x = x + block["out"](activation(block["fc"](block["ln_2"](x))))
        return F.linear(self.norm(x), self.embedding)


def load(folder):
    """The exported model, on the CPU, in float32, for inference."""
    tensors, config = read_folder(folder)
    kind = config.get("model_type")
    if kind in ("llama", "mistral", "qwen2", "qwen3"):
        return Decoder(tensors, config).eval()
    if kind == "gpt2":
        return Gpt2(tensors, config).eval()
    if any(name.startswith("blocks.0.attn.qkv") for name in tensors) and "pos_embed" in tensors:
        return VisionTransformer(tensors, config).eval()
    raise NotImplementedError(f"a model of type {kind} is not run by this file; replace_linears() puts its operators into one of yours")


def replace_linears(model, folder):
    """Replaces the modules of `model` that the export compressed, by name ("model.layers.0.mlp.up_proj"). Returns their names."""
    tensors, _ = read_folder(folder)
    names = sorted({name.split(".part")[0] if ".part" in name else name.rsplit(".", 1)[0]
                    for name in tensors if name.rsplit(".", 1)[-1] in ("lowrank_b", "remap_b", "selected_weight")})
    for name in names:
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, operator(tensors, name))
    return names


if __name__ == "__main__":
    compressed = load(sys.argv[1])
    for label, module in compressed.named_modules():
        if isinstance(module, (Dense, Factors, BlockIdentity, Remapped, Selected, Stacked)):
            print(f"{label:40} {type(module).__name__:14} {sum(p.numel() for p in module.parameters()):>12,}")
    print(f"{sum(p.numel() for p in compressed.parameters()):,} parameters")
