#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""References for sparse autoencoders: tests/golden/sae/<case>/ with cfg.json, the weights, and expected.npz (inputs, dense
codes, reconstructions) by NumPy in double. Run with Debian's python3 (python3-numpy).

The formulas are those of the libraries that write these files: EleutherAI sparsify (encode: relu(W (x - b_dec) + b), without the
shift in a transcoder; groupmax over k groups; "signed" by absolute value) and SAELens (normalisations with torch's unbiased
deviation, apply_b_dec_to_input, rescale_acts_by_decoder_norm, JumpReLU).
"""
import json
import pathlib
import struct

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent / "sae"
WIDTH, LATENTS, K, TOKENS = 12, 40, 5, 37


def write_tensors(path, tensors):
    header, at = {}, 0
    for name, array in tensors.items():
        dtype = {"float32": "F32", "float16": "F16"}[array.dtype.name]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(np.ascontiguousarray(a).tobytes() for a in tensors.values()))


def weights(draw, dtype):
    decoder = draw.normal(size=(LATENTS, WIDTH)) * draw.uniform(0.5, 1.5, (LATENTS, 1))
    parts = {"encoder": decoder + 0.3 * draw.normal(size=decoder.shape), "encoder_bias": 0.2 * draw.normal(size=LATENTS),
             "decoder": decoder, "decoder_bias": draw.normal(size=WIDTH), "threshold": draw.uniform(0, 3, LATENTS),
             "skip": 0.2 * draw.normal(size=(WIDTH, WIDTH))}
    return {name: array.astype(dtype) for name, array in parts.items()}


def normalise(x, kind):
    """(normalised, scale, shift) with x = normalised * scale + shift."""
    if kind == "constant_norm_rescale":
        scale = np.linalg.norm(x, axis=1, keepdims=True) / np.sqrt(WIDTH)
        return x / scale, scale, 0.0
    if kind == "layer_norm":
        shift = x.mean(1, keepdims=True)
        scale = (x - shift).std(1, ddof=1, keepdims=True) + 1e-5
        return (x - shift) / scale, scale, shift
    return x, 1.0, 0.0


def largest(h, key, k):
    """h where it is among the k largest of key, 0 elsewhere."""
    z = np.zeros_like(h)
    best = np.argsort(-key, axis=1, kind="stable")[:, :k]
    np.put_along_axis(z, best, np.take_along_axis(h, best, 1), 1)
    return z


def codes(h, activation, w):
    positive = np.maximum(h, 0)
    if activation == "topk":
        return largest(positive, positive, K)
    if activation == "signed":
        return largest(h, np.abs(h), K)
    if activation == "groupmax":
        groups = positive.reshape(len(h), K, LATENTS // K)
        return np.where(groups == groups.max(2, keepdims=True), groups, 0).reshape(h.shape)
    if activation == "jumprelu":
        return positive * (h > w["threshold"].astype(float))
    return positive


def expected(x, w, activation="topk", shift=True, skip=False, normalisation="none", rescale=False):
    w = {name: array.astype(float) for name, array in w.items()}
    inner, scale, offset = normalise(x.astype(float), normalisation)
    h = (inner - (w["decoder_bias"] if shift else 0)) @ w["encoder"].T + w["encoder_bias"]
    lengths = np.linalg.norm(w["decoder"], axis=1) if rescale else 1.0
    z = codes(h * lengths, activation, w)
    y = (z / lengths) @ w["decoder"] + w["decoder_bias"]
    y = y * scale + offset
    return z, y + (x.astype(float) @ w["skip"].T if skip else 0)


def write_case(name, layout, config, dtype="float32", **formula):
    draw = np.random.default_rng(sum(name.encode()))
    folder = HERE / name
    folder.mkdir(parents=True, exist_ok=True)
    w = weights(draw, dtype)
    x = (1.5 * draw.normal(size=(TOKENS, WIDTH)) + 0.5).astype(np.float32)
    if layout == "sparsify":
        kept = {"encoder.weight": w["encoder"], "encoder.bias": w["encoder_bias"], "W_dec": w["decoder"], "b_dec": w["decoder_bias"]}
        if formula.get("skip"):
            kept["W_skip"] = w["skip"]
        write_tensors(folder / "sae.safetensors", kept)
    else:
        kept = {"W_enc": w["encoder"].T, "W_dec": w["decoder"], "b_enc": w["encoder_bias"], "b_dec": w["decoder_bias"]}
        if formula.get("activation") == "jumprelu":
            kept["threshold"] = w["threshold"]
        write_tensors(folder / "sae_weights.safetensors", kept)
    (folder / "cfg.json").write_text(json.dumps(config, indent=1) + "\n")
    z, y = expected(x, w, **formula)
    np.savez(folder / "expected.npz", inputs=x, codes=z.astype(np.float32), reconstructions=y.astype(np.float32))


def main():
    base = {"d_in": WIDTH, "k": K, "num_latents": LATENTS, "expansion_factor": 32, "normalize_decoder": True}
    write_case("sparsify_topk", "sparsify", {**base, "activation": "topk", "multi_topk": False, "skip_connection": False, "transcode": False})
    write_case("sparsify_f16", "sparsify", {**base, "something_new": [1, {"a": None}]}, dtype="float16")
    write_case("sparsify_signed", "sparsify", {**base, "signed": True}, activation="signed")
    write_case("sparsify_groupmax", "sparsify", {**base, "activation": "groupmax"}, activation="groupmax")
    write_case("sparsify_transcoder", "sparsify", {**base, "skip_connection": True, "transcode": True}, shift=False, skip=True)
    new = {"architecture": "topk", "d_in": WIDTH, "d_sae": LATENTS, "k": K, "dtype": "float32", "device": "cpu",
           "apply_b_dec_to_input": True, "normalize_activations": "none", "reshape_activations": "none",
           "metadata": {"sae_lens_version": "6.18.0", "model_name": "tiny", "hook_name": "blocks.3.hook_resid_post"}}
    write_case("saelens_topk", "saelens", new)
    write_case("saelens_rescaled", "saelens", {**new, "rescale_acts_by_decoder_norm": True}, rescale=True)
    write_case("saelens_constant_norm", "saelens", {**new, "normalize_activations": "constant_norm_rescale"},
               normalisation="constant_norm_rescale")
    write_case("saelens_jumprelu", "saelens", {**{n: v for n, v in new.items() if n != "k"}, "architecture": "jumprelu",
                                               "apply_b_dec_to_input": False}, activation="jumprelu", shift=False)
    old = {"d_in": WIDTH, "d_sae": LATENTS, "dtype": "torch.float32", "model_name": "old", "hook_name": "hook_resid_pre", "hook_layer": 3,
           "apply_b_dec_to_input": True, "finetuning_scaling_factor": False}
    write_case("saelens_old_topk", "saelens", {**old, "activation_fn_str": "topk", "activation_fn_kwargs": {"k": K},
                                               "normalize_activations": "layer_norm"}, normalisation="layer_norm")
    write_case("saelens_old_relu", "saelens", {**old, "architecture": "standard", "activation_fn": "relu", "normalize_activations": False},
               activation="relu")


if __name__ == "__main__":
    main()
