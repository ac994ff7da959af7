# SPDX-License-Identifier: GPL-3.0-or-later
"""transformers' LLaMA, Mistral, Qwen2, Qwen3, GPT-2 and OPT for causal language modelling.

Touvron et al. 2023 (LLaMA, arXiv 2302.13971); Zhang and Sennrich 2019 (RMSNorm, arXiv 1910.07467); Shazeer 2020
(SwiGLU, arXiv 2002.05202); Su et al. 2021 (RoPE, arXiv 2104.09864); Chen et al. 2023 (linear scaling, arXiv
2306.15595); Peng et al. 2023 (YaRN, arXiv 2309.00071); Ainslie et al. 2023 (GQA, arXiv 2305.13245); Jiang et al. 2023
(Mistral, arXiv 2310.06825); Yang et al. 2024 (Qwen2, arXiv 2407.10671) and 2025 (Qwen3, arXiv 2505.09388); Radford et
al. 2019 (GPT-2); Zhang et al. 2022 (OPT, arXiv 2205.01068).
"""
import functools
import math

import numpy as np
import torch

from models_common import ACTIVATIONS, HF_COMMON, Variant, attend, split_heads, token_ids


def causal(length, window=None):
    """0 where query i may read key j (i - window < j <= i), -inf elsewhere."""
    i, j = torch.arange(length).reshape(-1, 1), torch.arange(length).reshape(1, -1)
    seen = j <= i if window is None else (j <= i) & (j > i - window)
    return torch.zeros(length, length, dtype=torch.float64).masked_fill(~seen, -math.inf)


def llama3_frequencies(frequencies, scaling):
    """The three bands of LLaMA 3.1: long wavelengths are slowed by `factor`, short ones kept, between them a blend."""
    old, factor = scaling["original_max_position_embeddings"], scaling["factor"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    wavelength = 2 * math.pi / frequencies
    blend = (old / wavelength - low) / (high - low)
    between = (1 - blend) * frequencies / factor + blend * frequencies
    result = torch.where(wavelength > old / low, frequencies / factor, between)
    return torch.where(wavelength < old / high, frequencies, result)


def yarn_frequencies(frequencies, scaling, theta, dim, limit):
    """NTK by parts and the factor on cos and sin."""
    factor, old = scaling["factor"], scaling.get("original_max_position_embeddings", limit)

    def correction(rotations):
        return dim * math.log(old / (rotations * 2 * math.pi)) / (2 * math.log(theta))

    low = max(math.floor(correction(scaling.get("beta_fast") or 32)), 0)
    high = min(math.ceil(correction(scaling.get("beta_slow") or 1)), dim - 1)
    ramp = (torch.arange(dim // 2, dtype=torch.float64) - low) / (high - low if high != low else 0.001)
    ramp = ramp.clamp(0, 1)  # 0: extrapolate (kept), 1: interpolate (slowed)
    attention = scaling.get("attention_factor")
    if attention is None:
        attention = 0.1 * math.log(factor) + 1 if factor > 1 else 1.0
    return frequencies * (1 - ramp) + frequencies / factor * ramp, attention


def rotary(config, dim, length):
    """cos and sin [length, dim] of transformers' rotate_half convention (halves, not pairs)."""
    scaling = config.get("rope_parameters") or config.get("rope_scaling") or {}  # transformers 5, or before
    theta = config["rope_theta"] if "rope_theta" in config else scaling["rope_theta"]
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    exponents = torch.arange(0, dim, 2, dtype=torch.float64) / dim
    frequencies, attention, limit = theta ** -exponents, 1.0, config["max_position_embeddings"]
    if kind == "linear":
        frequencies = frequencies / scaling["factor"]
    elif kind == "dynamic":
        if length > limit:
            stretch = scaling["factor"] * length / limit - (scaling["factor"] - 1)
            frequencies = (theta * stretch ** (dim / (dim - 2))) ** -exponents
    elif kind == "llama3":
        frequencies = llama3_frequencies(frequencies, scaling)
    elif kind == "yarn":
        frequencies, attention = yarn_frequencies(frequencies, scaling, theta, dim, limit)
    else:
        assert kind == "default"
    angles = torch.arange(length, dtype=torch.float64).reshape(-1, 1) * frequencies
    angles = torch.cat([angles, angles], -1)
    return angles.cos() * attention, angles.sin() * attention


def rotate(x, cos, sin):
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


def window_of(config, i):
    """How many keys (itself included) a query of layer i sees; None: all."""
    if config["model_type"] == "mistral":
        return config["sliding_window"]
    if config["model_type"] in ("qwen2", "qwen3") and config["use_sliding_window"]:
        return config["sliding_window"] if i >= config["max_window_layers"] else None
    return None


def llama_attention(net, config, i, x):
    d, heads, groups = config["hidden_size"], config["num_attention_heads"], config["num_key_value_heads"]
    dim = config.get("head_dim") or d // heads
    family, name = config["model_type"], f"model.layers.{i}.self_attn."
    bias = family == "qwen2" or config.get("attention_bias", False)
    q = split_heads(net.linear(name + "q_proj", x, heads * dim, bias), heads)
    k = split_heads(net.linear(name + "k_proj", x, groups * dim, bias), groups)
    v = split_heads(net.linear(name + "v_proj", x, groups * dim, bias), groups)
    if family == "qwen3":
        q = net.rms_norm(name + "q_norm", q, config["rms_norm_eps"])
        k = net.rms_norm(name + "k_norm", k, config["rms_norm_eps"])
    cos, sin = rotary(config, dim, x.shape[1])
    q, k = rotate(q, cos, sin), rotate(k, cos, sin)
    k, v = (t.repeat_interleave(heads // groups, 1) for t in (k, v))
    y = attend(net, i, q, k, v, dim ** -0.5, causal(x.shape[1], window_of(config, i)))
    return net.linear(name + "o_proj", y, d, bias and family != "qwen2")


def llama(net, config, inputs):
    """LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM."""
    d, eps, vocabulary = config["hidden_size"], config["rms_norm_eps"], config["vocab_size"]
    table = net.tensor("model.embed_tokens.weight", (vocabulary, d), "embedding")
    x, bias = table[inputs["input_ids"]], config.get("mlp_bias", False)
    for i in range(config["num_hidden_layers"]):
        name = f"model.layers.{i}."
        x = x + llama_attention(net, config, i, net.rms_norm(name + "input_layernorm", x, eps))
        y = net.rms_norm(name + "post_attention_layernorm", x, eps)
        gate = net.linear(name + "mlp.gate_proj", y, config["intermediate_size"], bias)
        up = net.linear(name + "mlp.up_proj", y, config["intermediate_size"], bias)
        x = x + net.linear(name + "mlp.down_proj", ACTIVATIONS[config["hidden_act"]](gate) * up, d, bias)
        net.keep(f"block.{i}", x)
    x = net.rms_norm("model.norm", x, eps)
    net.keep("hidden.final", x)
    tied = table if config["tie_word_embeddings"] else None
    net.keep("logits", net.linear("lm_head", x, vocabulary, bias=False, weight=tied))


def gpt2(net, config, inputs, prefix="transformer."):
    """GPT2LMHeadModel; with prefix "" the names of the first published checkpoints, mask buffers included."""
    d, heads, eps = config["n_embd"], config["n_head"], config["layer_norm_epsilon"]
    ids = inputs["input_ids"]
    table = net.tensor(prefix + "wte.weight", (config["vocab_size"], d), "embedding")
    places = net.tensor(prefix + "wpe.weight", (config["n_positions"], d), "embedding")
    x, inner = table[ids] + places[:ids.shape[1]], config["n_inner"] or 4 * d
    for i in range(config["n_layer"]):
        name = f"{prefix}h.{i}."
        y = net.conv1d(name + "attn.c_attn", net.layer_norm(name + "ln_1", x, eps), 3 * d)
        q, k, v = (split_heads(part, heads) for part in y.chunk(3, -1))
        scale = (d // heads) ** -0.5 if config["scale_attn_weights"] else 1.0
        if config["scale_attn_by_inverse_layer_idx"]:
            scale /= i + 1
        y = attend(net, i, q, k, v, scale, causal(ids.shape[1]))
        x = x + net.conv1d(name + "attn.c_proj", y, d)
        y = net.conv1d(name + "mlp.c_fc", net.layer_norm(name + "ln_2", x, eps), inner)
        x = x + net.conv1d(name + "mlp.c_proj", ACTIVATIONS[config["activation_function"]](y), d)
        net.keep(f"block.{i}", x)
        if not prefix:
            size = config["n_positions"]
            net.buffer(name + "attn.bias", np.tril(np.ones((1, 1, size, size), np.float32)))
    x = net.layer_norm(prefix + "ln_f", x, eps)
    net.keep("hidden.final", x)
    net.keep("logits", net.linear("lm_head", x, config["vocab_size"], bias=False, weight=table))


def opt(net, config, inputs):
    """OPTForCausalLM: learned positions with 2 unused rows in front; norms before (all sizes) or after (350m)."""
    d, wide, heads = config["hidden_size"], config["word_embed_proj_dim"], config["num_attention_heads"]
    root, before, eps = "model.decoder.", config["do_layer_norm_before"], 1e-5
    ids, activation = inputs["input_ids"], ACTIVATIONS[config["activation_function"]]
    table = net.tensor(root + "embed_tokens.weight", (config["vocab_size"], wide), "embedding")
    places = net.tensor(root + "embed_positions.weight", (config["max_position_embeddings"] + 2, d), "embedding")
    x = table[ids]
    if wide != d:
        x = net.linear(root + "project_in", x, d, bias=False)
    x = x + places[2:2 + ids.shape[1]]

    def sub_layer(name, x, inner):
        if before:
            return x + inner(net.layer_norm(name, x, eps))
        return net.layer_norm(name, x + inner(x), eps)

    for i in range(config["num_hidden_layers"]):
        name = f"{root}layers.{i}."

        def attention(y):
            q, k, v = (split_heads(net.linear(f"{name}self_attn.{part}_proj", y, d), heads) for part in "qkv")
            y = attend(net, i, q, k, v, (d // heads) ** -0.5, causal(ids.shape[1]))
            return net.linear(name + "self_attn.out_proj", y, d)

        def mlp(y):
            return net.linear(name + "fc2", activation(net.linear(name + "fc1", y, config["ffn_dim"])), d)

        x = sub_layer(name + "self_attn_layer_norm", x, attention)
        x = sub_layer(name + "final_layer_norm", x, mlp)
        net.keep(f"block.{i}", x)
    if before and not config["_remove_final_layer_norm"]:
        x = net.layer_norm(root + "final_layer_norm", x, eps)
    if wide != d:
        x = net.linear(root + "project_out", x, wide, bias=False)
    net.keep("hidden.final", x)
    net.keep("logits", net.linear("lm_head", x, config["vocab_size"], bias=False, weight=table))


def llama_config(model_type, **more):
    family = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}[model_type]
    base = {"architectures": [family + "ForCausalLM"], "model_type": model_type, "vocab_size": 48, "hidden_size": 16,
            "intermediate_size": 28, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "hidden_act": "silu", "max_position_embeddings": 64, "initializer_range": 0.02, "rms_norm_eps": 1e-5,
            "use_cache": True, "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": False,
            "rope_theta": 10000.0, "attention_dropout": 0.0, **HF_COMMON}
    if model_type == "llama":
        base.update({"attention_bias": False, "mlp_bias": False, "rope_scaling": None, "pretraining_tp": 1})
    if model_type == "mistral":
        base["sliding_window"] = 5
    if model_type in ("qwen2", "qwen3"):
        base.update({"use_sliding_window": False, "sliding_window": 5, "max_window_layers": 1, "rms_norm_eps": 1e-6})
    if model_type == "qwen3":
        base.update({"attention_bias": False, "head_dim": 16, "rope_scaling": None})
    return {**base, **more}


def gpt2_config(**more):
    base = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new",
            "attn_pdrop": 0.1, "embd_pdrop": 0.1, "resid_pdrop": 0.1, "bos_token_id": 47, "eos_token_id": 47,
            "initializer_range": 0.02, "layer_norm_epsilon": 1e-5, "n_ctx": 24, "n_embd": 16, "n_head": 2,
            "n_layer": 2, "n_inner": None, "n_positions": 24, "scale_attn_weights": True,
            "scale_attn_by_inverse_layer_idx": False, "reorder_and_upcast_attn": False, "vocab_size": 48,
            "tie_word_embeddings": True, **HF_COMMON}
    return {**base, **more}


def opt_config(**more):
    base = {"architectures": ["OPTForCausalLM"], "model_type": "opt", "activation_function": "relu",
            "activation_dropout": 0.0, "attention_dropout": 0.0, "dropout": 0.1, "layerdrop": 0.0,
            "bos_token_id": 2, "eos_token_id": 2, "pad_token_id": 1, "prefix": "</s>", "init_std": 0.02,
            "do_layer_norm_before": True, "_remove_final_layer_norm": False, "enable_bias": True,
            "layer_norm_elementwise_affine": True, "ffn_dim": 40, "hidden_size": 16, "word_embed_proj_dim": 16,
            "num_attention_heads": 2, "num_hidden_layers": 2, "max_position_embeddings": 24, "vocab_size": 48,
            "tie_word_embeddings": True, "use_cache": True, **HF_COMMON}
    return {**base, **more}


def variants():
    def make(name, config, length=14, forward=llama, others=()):
        changed = [{**config, **other} for other in others]
        return Variant(name, forward, config, token_ids(name, config["vocab_size"], length), changed)

    plain = {"rope_scaling": None}
    # Theta 50, 8 features: wavelengths 6.3, 16.7, 44, 118, so that every band of 24 / 3.5 .. 24 / 1 is met.
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 3.5,
              "original_max_position_embeddings": 24}
    # config.json as transformers 5 writes it: theta and scaling in one object, dtype instead of torch_dtype.
    renamed = llama_config("llama", head_dim=8, dtype="float32", transformers_version="5.0.0",
                           rope_parameters={**llama3, "rope_theta": 50.0})
    for key in ("rope_theta", "rope_scaling", "torch_dtype"):
        del renamed[key]
    # Theta 100, 8 features: correction dimensions 0 and 3; the frequencies are interpolated by 0, 1/3, 2/3 and 1.
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 2.0,
            "beta_slow": 0.25}
    return [
        make("llama_llama3_rope", llama_config(
            "llama", attention_bias=True, mlp_bias=True, rope_theta=50.0, head_dim=8,
            rope_scaling=llama3), others=[plain, {"rms_norm_eps": 1e-2}]),
        make("llama_rope_parameters", renamed, length=10, others=[
            {"rope_parameters": {**renamed["rope_parameters"], "rope_theta": 10000.0}},
            {"rope_parameters": {"rope_type": "default", "rope_theta": 50.0}}]),
        make("llama_linear_rope_tied", llama_config(
            "llama", tie_word_embeddings=True, num_key_value_heads=1,
            hidden_size=24, rope_scaling={"type": "linear", "factor": 2.5}), others=[plain]),
        make("llama_dynamic_rope", llama_config(
            "llama", num_key_value_heads=4, head_dim=8, max_position_embeddings=12, rope_theta=100.0,
            rope_scaling={"rope_type": "dynamic", "factor": 3.0}), others=[plain]),
        make("llama_yarn_rope", llama_config(
            "llama", rope_theta=100.0, head_dim=8, max_position_embeddings=64, rope_scaling=yarn),
            others=[plain, {"rope_scaling": {**yarn, "attention_factor": 1.0}}]),
        make("mistral_sliding_window", llama_config("mistral"), others=[{"sliding_window": 6}, {"sliding_window": 4}]),
        make("mistral_head_dim", llama_config("mistral", sliding_window=None, head_dim=12, hidden_size=20)),
        make("qwen2_tied", llama_config("qwen2", hidden_size=24, tie_word_embeddings=True),
             others=[{"use_sliding_window": True}]),
        make("qwen2_sliding_window", llama_config("qwen2", hidden_size=24, use_sliding_window=True, rope_theta=1e6),
             others=[{"use_sliding_window": False}, {"max_window_layers": 0}]),
        make("qwen3", llama_config("qwen3", tie_word_embeddings=True), others=[{"model_type": "llama"}]),
        make("gpt2", gpt2_config(), forward=gpt2, others=[{"activation_function": "gelu"}]),
        make("gpt2_no_prefix", gpt2_config(n_inner=24), forward=functools.partial(gpt2, prefix="")),
        make("gpt2_scaled_by_layer", gpt2_config(scale_attn_by_inverse_layer_idx=True, n_layer=3),
             forward=gpt2, others=[{"scale_attn_by_inverse_layer_idx": False}]),
        make("opt", opt_config(), forward=opt, others=[{"activation_function": "gelu"}]),
        make("opt_post_norm_projected", opt_config(do_layer_norm_before=False, word_embed_proj_dim=12), forward=opt),
    ]
