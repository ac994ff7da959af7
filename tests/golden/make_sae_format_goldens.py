#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""References for the other formats of sparse autoencoders: tests/golden/sae/<case>/ with the files of the format and
expected.npz (inputs, dense codes, reconstructions) by NumPy in double; switches.txt where a case is read with switches, one
name=value a line. PyTorch files are written by torch.save. Run with Debian's python3 (python3-numpy, python3-torch).

The formulas are those of the libraries, written as they write them and not as Tamis folds them: openai/sparse_autoencoder
model.py, dictionary_learning dictionary.py and trainers, SAELens (Gemma Scope, gated, expected_average_only_in,
scaling_factor), OpenMOSS sparse_dictionary.py and sae.py (Llama Scope).
"""
import collections
import json

import numpy as np
import torch

from make_sae_goldens import HERE, K, LATENTS, TOKENS, WIDTH, largest, normalise, weights, write_tensors

JUMP = 1.5


def parts(name):
    draw = np.random.default_rng(sum(name.encode()) + 1)
    w = weights(draw, np.float32)
    w["r_mag"] = (0.3 * draw.normal(size=LATENTS)).astype(np.float32)
    w["mag_bias"] = (0.4 * draw.normal(size=LATENTS)).astype(np.float32)
    w["factor"] = draw.uniform(0.5, 2, LATENTS).astype(np.float32)
    x = (1.5 * draw.normal(size=(TOKENS, WIDTH)) + 0.5).astype(np.float32)
    return w, x


def folder_of(name):
    folder = HERE / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_expected(name, x, z, y, switches=()):
    assert 0 < np.count_nonzero(z) < z.size, name
    np.savez(folder_of(name) / "expected.npz", inputs=x, codes=z.astype(np.float32), reconstructions=y.astype(np.float32))
    if switches:
        (folder_of(name) / "switches.txt").write_text("".join(each + "\n" for each in switches))


def top(positive, k=K):
    """The k largest, whose order no rounding changes."""
    ordered = np.sort(positive, axis=1)[:, ::-1]
    gaps = (ordered[:, k - 1] - ordered[:, k])[ordered[:, k - 1] > 0]
    assert gaps.min() > 1e-4, gaps.min()
    return largest(positive, positive, k)


def jump(h, threshold):
    """max(h, 0) above the threshold, from which every h keeps a distance."""
    assert np.abs(h - threshold).min() > 1e-6
    return np.maximum(h, 0) * (h > threshold)


def doubles(w):
    return {name: array.astype(float) for name, array in w.items()}


# openai/sparse_autoencoder

def write_openai(name, activation=None, layer_norm=False, tied=False, switches=()):
    w, x = parts(name)
    if tied:
        w["decoder"] = w["encoder"]
    state = collections.OrderedDict()
    state["pre_bias"] = torch.nn.Parameter(torch.tensor(w["decoder_bias"]))
    state["latent_bias"] = torch.nn.Parameter(torch.tensor(w["encoder_bias"]))
    state["stats_last_nonzero"] = torch.zeros(LATENTS, dtype=torch.long)
    state["latents_activation_frequency"] = torch.ones(LATENTS)
    state["latents_mean_square"] = torch.zeros(LATENTS)
    state["encoder.weight"] = torch.tensor(w["encoder"])
    # A view of [M, D]: the strides of decoder.weight [D, M] are (1, D).
    state["decoder.linear.weight" if tied else "decoder.weight"] = torch.tensor(w["decoder"]) if tied else torch.tensor(w["decoder"]).t()
    if activation:
        state["activation"] = activation
        state["activation_state_dict"] = collections.OrderedDict(k=K, postact_fn="ReLU")
    torch.save(state, folder_of(name) / "autoencoder.pt")
    w = doubles(w)
    inner, scale, shift = normalise(x.astype(float), "layer_norm" if layer_norm else "none")
    positive = np.maximum((inner - w["decoder_bias"]) @ w["encoder"].T + w["encoder_bias"], 0)
    z = top(positive) if activation else positive
    write_expected(name, x, z, (z @ w["decoder"] + w["decoder_bias"]) * scale + shift, switches)


# dictionary_learning

def write_dictionary(name, dict_class, state, x, z, y, switches=(), **trainer):
    folder = folder_of(name)
    torch.save(collections.OrderedDict((key, torch.tensor(value)) for key, value in state.items()), folder / "ae.pt")
    trainer = {"dict_class": dict_class, "activation_dim": WIDTH, "dict_size": LATENTS, "layer": 3, "lm_name": "tiny",
               "submodule_name": "resid_post_layer_3", "steps": 10, **trainer}
    (folder / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {"ctx_len": 128}}, indent=1) + "\n")
    write_expected(name, x, z, y, switches)


def linear(w, **other):
    return {"encoder.weight": w["encoder"], "decoder.weight": np.ascontiguousarray(w["decoder"].T), **other}


def matrices(w, **other):
    return {"W_enc": np.ascontiguousarray(w["encoder"].T), "b_enc": w["encoder_bias"], "W_dec": w["decoder"],
            "b_dec": w["decoder_bias"], **other}


def write_dictionaries():
    def case(name):
        w, x = parts(name)
        d = doubles(w)
        return w, x, d, np.linalg.norm(d["decoder"], axis=1), (x - d["decoder_bias"]) @ d["encoder"].T + d["encoder_bias"]

    name = "dictionary_autoencoder"
    w, x, d, norms, h = case(name)  # from_pretrained(normalize_decoder=True)
    z = np.maximum(h, 0) * norms
    write_dictionary(name, "AutoEncoder", linear(w, **{"encoder.bias": w["encoder_bias"], "bias": w["decoder_bias"]}), x, z,
                     (z / norms) @ d["decoder"] + d["decoder_bias"])
    name = "dictionary_new"
    w, x, d, norms, h = case(name)
    z = np.maximum(x @ d["encoder"].T + d["encoder_bias"], 0)
    write_dictionary(name, "AutoEncoderNew", linear(w, **{"encoder.bias": w["encoder_bias"], "decoder.bias": w["decoder_bias"]}), x, z,
                     z @ d["decoder"] + d["decoder_bias"])
    batch = {"k": np.int32(K), "threshold": np.float32(JUMP)}
    for name, dict_class, per_token in (("dictionary_topk", "AutoEncoderTopK", True), ("dictionary_batchtopk", "BatchTopKSAE", False),
                                        ("dictionary_batchtopk_a_token", "BatchTopKSAE", True)):
        w, x, d, norms, h = case(name)
        z = top(np.maximum(h, 0)) if per_token else jump(h, JUMP)
        write_dictionary(name, dict_class, linear(w, **{"encoder.bias": w["encoder_bias"], "b_dec": w["decoder_bias"], **batch}), x, z,
                         z @ d["decoder"] + d["decoder_bias"], ["per-token-topk=yes"] if name.endswith("a_token") else (), k=K)
    name = "dictionary_batchtopk_unset"
    w, x, d, norms, h = case(name)
    write_dictionary(name, "BatchTopKSAE", linear(w, **{"encoder.bias": w["encoder_bias"], "b_dec": w["decoder_bias"], "k": np.int32(K),
                                                        "threshold": np.float32(-1)}), x, np.maximum(h, 0),
                     np.maximum(h, 0) @ d["decoder"] + d["decoder_bias"], k=2 * K)
    name = "dictionary_matryoshka"
    w, x, d, norms, h = case(name)
    z = jump(h, JUMP)
    write_dictionary(name, "MatryoshkaBatchTopKSAE", matrices(w, **batch, group_sizes=np.array([LATENTS // 4, 3 * LATENTS // 4])), x, z,
                     z @ d["decoder"] + d["decoder_bias"], k=K)
    for name, scaled in (("dictionary_gated", False), ("dictionary_gated_normalised", True)):
        w, x, d, norms, h = case(name)
        inner = (x - d["decoder_bias"]) @ d["encoder"].T
        z = (inner + d["encoder_bias"] > 0) * np.maximum(np.exp(d["r_mag"]) * inner + d["mag_bias"], 0)
        z = z * norms if scaled else z
        write_dictionary(name, "GatedAutoEncoder", linear(w, gate_bias=w["encoder_bias"], mag_bias=w["mag_bias"], r_mag=w["r_mag"],
                                                          decoder_bias=w["decoder_bias"]), x, z,
                         (z / norms if scaled else z) @ d["decoder"] + d["decoder_bias"], ["decoder-norms=yes"] if scaled else ())
    for name, scaled in (("dictionary_jumprelu", False), ("dictionary_jumprelu_normalised", True)):
        w, x, d, norms, h = case(name)
        z = jump(x @ d["encoder"].T + d["encoder_bias"], d["threshold"])
        z = z * norms if scaled else z
        write_dictionary(name, "JumpReluAutoEncoder", matrices(w, threshold=w["threshold"]), x, z,
                         (z / norms if scaled else z) @ d["decoder"] + d["decoder_bias"], ["decoder-norms=yes"] if scaled else ())


# Gemma Scope

def write_gemma(name, lower=False, embedding=False, switches=()):
    w, x = parts(name)
    folder = folder_of(name)
    x = x / 2 if embedding else x
    letter = "w" if lower else "W"
    np.savez_compressed(folder / "params.npz", **{letter + "_enc": w["encoder"].T, letter + "_dec": w["decoder"], "b_enc": w["encoder_bias"],
                                                  "b_dec": w["decoder_bias"], "threshold": w["threshold"]})
    d = doubles(w)
    encoder, decoder = d["encoder"].T, d["decoder"]
    if embedding:
        encoder, decoder = encoder / np.sqrt(WIDTH), decoder * np.sqrt(WIDTH)
    z = jump(x.astype(float) @ encoder + d["encoder_bias"], d["threshold"])
    write_expected(name, x, z, z @ decoder + d["decoder_bias"], switches)


# Llama Scope

def write_llama(name, named=False, act_fn="jumprelu", norm="dataset-wise", by_norms=True, per_token=False, raw=False, scaled=True,
                log_thresholds=False, subtract=False, averages=(6.5, 5.0), averages_in_weights=False, stated_norms=True, switches=(), **more):
    w, x = parts(name)
    folder = folder_of(name)
    if named:
        tensors = {"W_E": w["encoder"].T, "b_E": w["encoder_bias"], "W_D": w["decoder"], "b_D": w["decoder_bias"]}
    else:
        tensors = {"encoder.weight": w["encoder"], "encoder.bias": w["encoder_bias"], "decoder.weight": w["decoder"].T,
                   "decoder.bias": w["decoder_bias"]}
    config = {"hook_point_in": "blocks.3.hook_resid_post", "hook_point_out": "blocks.3.hook_resid_post", "d_model": WIDTH,
              "expansion_factor": LATENTS / WIDTH, "act_fn": act_fn, "top_k": K, "norm_activation": norm, "use_decoder_bias": True, **more}
    if stated_norms:
        config["sparsity_include_decoder_norm"] = by_norms
    if subtract:
        config["apply_decoder_bias_to_pre_encoder"] = True
    if norm == "dataset-wise":
        if averages_in_weights:
            for site, value in zip(("in", "out"), averages):
                tensors["dataset_average_activation_norm." + site] = np.array(value, np.float32)
        else:
            config["dataset_average_activation_norm"] = dict(zip(("in", "out"), averages))
    thresholds = np.full(LATENTS, JUMP)
    if log_thresholds:
        thresholds = 0.5 + w["threshold"].astype(float)
        tensors["log_jumprelu_threshold"] = np.log(thresholds).astype(np.float32)
        thresholds = np.exp(tensors["log_jumprelu_threshold"].astype(float))
    elif act_fn == "jumprelu":
        config["jump_relu_threshold"] = JUMP
        config["d_sae"] = LATENTS
    if log_thresholds or named:
        write_tensors(folder / "sae_weights.safetensors", tensors)
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    else:
        (folder / "checkpoints").mkdir(exist_ok=True)
        write_tensors(folder / "checkpoints" / "final.safetensors", tensors)
        (folder / "hyperparams.json").write_text(json.dumps(config, indent=1) + "\n")

    d = doubles(w)
    x64 = x.astype(float)
    root = np.sqrt(WIDTH)
    s_in = s_out = 1.0
    if norm == "dataset-wise" and scaled:
        s_in, s_out = root / averages[0], root / averages[1]
    if norm == "token-wise":
        s_in = s_out = root / np.linalg.norm(x64, axis=1, keepdims=True)
    if raw:  # standardize_parameters_of_dataset_norm
        d["encoder_bias"] = d["encoder_bias"] / s_in
        d["decoder"] = d["decoder"] * (s_in / s_out)
        d["decoder_bias"] = d["decoder_bias"] / s_out
        s_in = s_out = 1.0
    hidden = (x64 * s_in - (d["decoder_bias"] if subtract else 0)) @ d["encoder"].T + d["encoder_bias"]
    norms = np.linalg.norm(d["decoder"], axis=1) if by_norms else 1.0
    scores = hidden * norms
    if act_fn == "topk" or per_token:
        active = top(np.maximum(scores, 0))
    elif act_fn == "jumprelu":
        active = jump(scores, thresholds)
    else:
        active = np.maximum(scores, 0)
    z = active / norms
    write_expected(name, x, z, (z @ d["decoder"] + d["decoder_bias"]) / s_out, switches)


def write_llamas():
    write_llama("llama_scope_old", switches=(), averages=(6.5, 5.0))
    write_llama("llama_scope_old_raw_threshold", raw=True, switches=["raw-threshold=yes"])
    write_llama("llama_scope_old_unscaled", scaled=False, by_norms=False, switches=["input-scaling=no"])
    write_llama("llama_scope_old_a_token", per_token=True, switches=["per-token-topk=yes"])
    write_llama("llama_scope_old_subtracts", subtract=True)
    write_llama("llama_scope_old_without_norms", by_norms=False, stated_norms=False, switches=["decoder-norms=no"])
    write_llama("llama_scope_distill", log_thresholds=True, averages_in_weights=True)
    write_llama("llama_scope_new_topk", named=True, act_fn="topk", norm="inference", sae_type="sae")
    write_llama("llama_scope_new_relu", named=True, act_fn="relu", averages_in_weights=True, averages=(4.0, 4.0))
    write_llama("llama_scope_new_token_wise", named=True, act_fn="topk", norm="token-wise", stated_norms=False)


# SAELens

def write_saelens(name, config, scale=None, hand=False, gated=False, in_weights=False, factor=False, jumprelu=False, shift=True):
    w, x = parts(name)
    folder = folder_of(name)
    tensors = {"W_enc": w["encoder"].T, "W_dec": w["decoder"], "b_dec": w["decoder_bias"]}
    if gated:
        tensors |= {"b_gate": w["encoder_bias"], "b_mag": w["mag_bias"], "r_mag": w["r_mag"]}
    else:
        tensors["b_enc"] = w["encoder_bias"]
    if jumprelu:
        tensors["threshold"] = w["threshold"]
    if factor:
        tensors["scaling_factor"] = w["factor"]
    if in_weights:
        tensors["scaling_factor"] = np.array(scale, np.float32)
    elif scale and not hand:
        (folder / "activation_scaler.json").write_text(json.dumps({"scaling_factor": scale}))
    write_tensors(folder / "sae_weights.safetensors", tensors)
    (folder / "cfg.json").write_text(json.dumps(config, indent=1) + "\n")
    d = doubles(w)
    s = scale or 1.0
    inner = (x.astype(float) * s - (d["decoder_bias"] if shift else 0)) @ d["encoder"].T
    if gated:
        z = (inner + d["encoder_bias"] > 0) * np.maximum(inner * np.exp(d["r_mag"]) + d["mag_bias"], 0)
    elif jumprelu:
        z = jump(inner + d["encoder_bias"], d["threshold"])
    else:
        z = np.maximum(inner + d["encoder_bias"], 0)
        z = top(z) if "k" in json.dumps(config) and ("topk" in json.dumps(config)) else z
    y = ((z * d["factor"] if factor else z) @ d["decoder"] + d["decoder_bias"]) / s
    write_expected(name, x, z, y, [f"input-scale={scale}"] if hand else ())


def write_all_saelens():
    base = {"d_in": WIDTH, "d_sae": LATENTS, "dtype": "float32", "device": "cpu", "apply_b_dec_to_input": True, "reshape_activations": "none",
            "metadata": {"sae_lens_version": "6.18.0", "model_name": "tiny", "hook_name": "blocks.3.hook_resid_post"}}
    average = {"normalize_activations": "expected_average_only_in"}
    write_saelens("saelens_gated", {**base, "architecture": "gated", "normalize_activations": "none"}, gated=True)
    write_saelens("saelens_gated_average", {**base, **average, "architecture": "gated"}, gated=True, scale=0.7)
    write_saelens("saelens_average", {**base, **average, "architecture": "topk", "k": K}, scale=0.4)
    write_saelens("saelens_average_in_weights", {**base, **average, "architecture": "standard"}, scale=1.75, in_weights=True)
    write_saelens("saelens_average_jumprelu", {**base, **average, "architecture": "jumprelu", "apply_b_dec_to_input": False}, scale=0.6,
                  jumprelu=True, shift=False)
    old = {"d_in": WIDTH, "d_sae": LATENTS, "dtype": "torch.float32", "model_name": "old", "hook_point": "hook_resid_pre", "hook_point_layer": 3}
    write_saelens("saelens_old_average_by_hand", {**old, "activation_fn_str": "topk", "activation_fn_kwargs": {"k": K},
                                                  "normalize_activations": True}, scale=1.3, hand=True)
    write_saelens("saelens_old_finetuned", {**old, "finetuning_scaling_factor": True, "normalize_activations": False}, factor=True)


def main():
    write_openai("openai_topk", "TopK", layer_norm=True)
    write_openai("openai_topk_plain", "TopK", switches=["layer-norm=no"])
    write_openai("openai_relu")
    write_openai("openai_tied", tied=True)
    write_dictionaries()
    write_gemma("gemma_scope")
    write_gemma("gemma_scope_embedding", lower=True, embedding=True)
    write_gemma("gemma_scope_by_switch", embedding=True, switches=["embedding=yes"])
    write_llamas()
    write_all_saelens()


if __name__ == "__main__":
    main()
