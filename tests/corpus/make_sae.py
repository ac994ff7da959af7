#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the directories of tests/corpus/sae and expectations.tsv beside them (directory, error code, part of the error's text),
and the configurations alone in tests/corpus/sae_config, which the fuzzer begins with."""
import io
import json
import os
import shutil
import struct

import numpy as np

import make_torch as torch

HERE = os.path.dirname(os.path.abspath(__file__))
MALFORMED, UNSUPPORTED, LIMIT, IO, NONFINITE = "malformed file", "unsupported feature", "limit exceeded", "i/o failure", "non-finite values"
D, M, K = 4, 6, 2


def container(tensors):
    """tensors: name -> (shape, value or dtype and bytes)."""
    header, blob = {}, b""
    for name, (shape, content) in tensors.items():
        count = 1
        for n in shape:
            count *= n
        dtype, part = content if isinstance(content, tuple) else ("F32", struct.pack("<f", content) * count)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(blob), len(blob) + len(part)]}
        blob += part
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + blob


def sparsify(**changed):
    parts = {"encoder.weight": ([M, D], 0.5), "encoder.bias": ([M], 0.25), "W_dec": ([M, D], 1.0), "b_dec": ([D], 0.0), **changed}
    return container({name: part for name, part in parts.items() if part is not None})


def saelens(**changed):
    parts = {"W_enc": ([D, M], 0.5), "b_enc": ([M], 0.25), "W_dec": ([M, D], 1.0), "b_dec": ([D], 0.0), **changed}
    return container({name: part for name, part in parts.items() if part is not None})


def text(base, **changed):
    return json.dumps({name: value for name, value in {**base, **changed}.items() if value != "absent"})


S = {"activation": "topk", "d_in": D, "num_latents": M, "k": K}
L = {"architecture": "topk", "d_in": D, "d_sae": M, "k": K}


def cases():
    """(directory, cfg.json, weights by file name, code, part of the error)."""
    s, l = {"sae.safetensors": sparsify()}, {"sae_weights.safetensors": saelens()}
    yield "good_sparsify", text(S), s, "ok", ""
    yield "good_saelens", text(L), l, "ok", ""
    yield "good_expansion", text(S, num_latents=0, expansion_factor=2), {"sae.safetensors": sparsify(
        **{"encoder.weight": ([8, D], 0.5), "encoder.bias": ([8], 0.0), "W_dec": ([8, D], 0.0)})}, "ok", ""
    yield "good_sizes_unstated", text({"k": 1}), s, "ok", ""
    yield "good_null_fields", text(L, normalize_activations=None, metadata=None), l, "ok", ""

    yield "no_config", None, s, IO, "cannot be opened"
    yield "no_weights", text(S), {}, IO, "expected sae.safetensors or sae_weights.safetensors"
    yield "both_weights", text(S), {**s, **l}, UNSUPPORTED, "holds both sae.safetensors and sae_weights.safetensors"
    yield "both_encoders", text(S), {"sae.safetensors": sparsify(W_enc=([D, M], 0.5))}, UNSUPPORTED, "holds both \"encoder.weight\""
    yield "other_tensors", text(S), {"sae.safetensors": container({"a": ([1], 0.0)})}, UNSUPPORTED, "holds neither \"encoder.weight\""
    yield "weights_cut", text(S), {"sae.safetensors": sparsify()[:-3]}, MALFORMED, "reach beyond the end of the file"
    yield "weights_empty", text(S), {"sae.safetensors": b""}, MALFORMED, "is empty"
    yield "lacks_decoder", text(S), {"sae.safetensors": sparsify(W_dec=None)}, MALFORMED, "lacks the tensor \"W_dec\""
    yield "lacks_bias", text(L), {"sae_weights.safetensors": saelens(b_enc=None)}, MALFORMED, "lacks the tensor \"b_enc\""
    yield "lacks_threshold", text(L, architecture="jumprelu"), l, MALFORMED, "lacks the tensor \"threshold\""
    yield "lacks_skip", text(S, skip_connection=True), s, MALFORMED, "lacks the tensor \"W_skip\""
    yield "encoder_rank", text(S), {"sae.safetensors": sparsify(**{"encoder.weight": ([24], 0.5)})}, MALFORMED, "expected two dimensions of at least 1"
    yield "encoder_empty", text({"k": 1}), {"sae.safetensors": sparsify(**{"encoder.weight": ([0, D], 0.5)})}, MALFORMED, \
        "expected two dimensions of at least 1"
    yield "decoder_transposed", text(S), {"sae.safetensors": sparsify(W_dec=([D, M], 1.0))}, MALFORMED, "has the shape [4, 6], expected [6, 4]"
    yield "encoder_transposed", text(L), {"sae_weights.safetensors": saelens(W_enc=([M, D], 1.0))}, MALFORMED, \
        "states 4 input features, found 6 in the weights"
    yield "bias_length", text(S), {"sae.safetensors": sparsify(b_dec=([M], 1.0))}, MALFORMED, "has the shape [6], expected [4]"
    yield "integers", text(S), {"sae.safetensors": sparsify(b_dec=([D], ("I32", bytes(4 * D))))}, UNSUPPORTED, "holds I32, expected a floating-point type"
    yield "nan", text(S), {"sae.safetensors": sparsify(W_dec=([M, D], float("nan")))}, NONFINITE, "holds NaN or infinity"
    yield "infinity", text(L), {"sae_weights.safetensors": saelens(W_enc=([D, M], float("inf")))}, NONFINITE, "holds NaN or infinity"
    yield "width_differs", text(S, d_in=5), s, MALFORMED, "states 5 input features, found 4 in the weights"
    yield "latents_differ", text(L, d_sae=7), l, MALFORMED, "states 7 latents, found 6 in the weights"
    yield "expansion_differs", text(S, num_latents="absent"), s, MALFORMED, "states 128 latents, found 6 in the weights"
    yield "expansion_overflows", text(S, num_latents=0, d_in=454775809), s, MALFORMED, "times expansion_factor 32 is more than 2147483647 latents"
    yield "k_zero", text(S, k=0), s, MALFORMED, "k is \"0\", expected a whole number from 1"
    yield "k_negative", text(L, k=-3), l, MALFORMED, "k is \"-3\""
    yield "k_fraction", text(L, k=1.5), l, MALFORMED, "k is \"1.5\""
    yield "k_text", text(S, k="32"), s, MALFORMED, "k is \"\"32\"\""
    yield "k_huge", text(S, k=2**63), s, MALFORMED, "k is \"9223372036854775808\""
    yield "k_above_latents", text(S, k=7), s, MALFORMED, "k is 7, expected at most the 6 latents"
    yield "k_lacking", text(L, k="absent"), l, MALFORMED, "lacks k"
    yield "k_of_old_negative", text(L, k="absent", activation_fn_kwargs={"k": -1}), l, MALFORMED, "k is \"-1\""
    yield "kwargs_list", text(L, k="absent", activation_fn_kwargs=[1]), l, MALFORMED, "activation_fn_kwargs is \"[1]\", expected an object"
    yield "groups_unequal", text(S, activation="groupmax", k=4), s, MALFORMED, "6 latents cannot be parted into k = 4 equal groups"
    yield "activation_unknown", text(S, activation="tanh"), s, UNSUPPORTED, "activation is \"tanh\", expected topk or groupmax"
    yield "activation_number", text(S, activation=3), s, MALFORMED, "activation is \"3\", expected a text"
    yield "architecture_temporal", text(L, architecture="temporal"), l, UNSUPPORTED, "architecture is \"temporal\", expected standard, topk, jumprelu or gated"
    yield "gated_lacks_gate", text(L, architecture="gated"), l, MALFORMED, "lacks the tensor \"b_gate\""
    yield "gated_exponential", text(L, architecture="gated"), {"sae_weights.safetensors": saelens(
        b_enc=None, b_gate=([M], 0.0), b_mag=([M], 0.0), r_mag=([M], 200.0))}, NONFINITE, "is too large, expected finite scales"
    yield "gated_topk", text(L, architecture="gated", activation_fn="topk"), l, UNSUPPORTED, "expected relu in a gated autoencoder"
    yield "function_unknown", text(L, architecture="absent", activation_fn="tanh-relu"), l, UNSUPPORTED, "activation_fn is \"tanh-relu\""
    yield "normalisation_unfolded", text(L, normalize_activations="expected_average_only_in"), l, UNSUPPORTED, "the scale is not stated: expected activation_scaler.json"
    yield "normalisation_old_true", text(L, normalize_activations=True), l, UNSUPPORTED, "the scale is not stated: expected activation_scaler.json"
    yield "normalisation_unknown", text(L, normalize_activations="max"), l, UNSUPPORTED, "expected none, constant_norm_rescale, layer_norm or expected_average_only_in"
    yield "normalisation_number", text(L, normalize_activations=1), l, MALFORMED, "normalize_activations is \"1\", expected a text"
    yield "reshape_unknown", text(L, reshape_activations="fold"), l, UNSUPPORTED, "reshape_activations is \"fold\""
    average = text(L, normalize_activations="expected_average_only_in")
    yield "good_scaler", average, {**l, "activation_scaler.json": b'{"scaling_factor": 0.5}'}, "ok", ""
    yield "scaler_zero", average, {**l, "activation_scaler.json": b'{"scaling_factor": 0}'}, MALFORMED, "scaling_factor is \"0\", expected a number above 0"
    yield "scaler_null", average, {**l, "activation_scaler.json": b'{"scaling_factor": null}'}, MALFORMED, "lacks scaling_factor"
    yield "scaler_array", average, {**l, "activation_scaler.json": b'[1]'}, MALFORMED, "expected a JSON object"
    yield "scaler_tensor_negative", average, {"sae_weights.safetensors": saelens(scaling_factor=([], -2.0))}, MALFORMED, "is -2.000000, expected a number above 0"
    yield "good_factor_of_ones", text(L), {"sae_weights.safetensors": saelens(scaling_factor=([M], 1.0))}, "ok", ""
    yield "factor_unstated", text(L), {"sae_weights.safetensors": saelens(scaling_factor=([M], 2.0))}, MALFORMED, "although finetuning_scaling_factor is false"
    yield "factor_lacking", text(L, finetuning_scaling_factor=True), l, MALFORMED, "lacks the tensor \"scaling_factor\""
    yield "flag_number", text(S, transcode=1), s, MALFORMED, "transcode is \"1\", expected true or false"
    yield "metadata_text", text(L, metadata="x"), l, MALFORMED, "metadata is \"\"x\"\", expected an object"
    yield "config_array", "[1]", s, MALFORMED, "expected a JSON object"
    yield "config_empty", "", s, MALFORMED, "is not valid JSON"
    yield "config_cut", text(S)[:-1], s, MALFORMED, "is not valid JSON"
    yield "config_key_twice", '{"k": 1, "k": 2}', s, MALFORMED, "the key \"k\" occurs twice"
    yield "config_deep", "[" * 40 + "]" * 40, s, LIMIT, "nested deeper than 32 levels"
    yield "config_utf8", '{"model_name": "\xff"}'.encode("latin-1"), l, MALFORMED, "is not valid JSON"


def others():
    """(directory, contents by file name, code, part of the error): the formats without a cfg.json."""
    def state(*skip, stated=("k", torch.whole(K)), **changed):
        parts = {"encoder.weight": (M, D), "decoder.weight": (D, M), "latent_bias": (M,), "pre_bias": (D,), **changed}
        entries, blobs = [], []
        for name, shape in parts.items():
            if name in skip:
                continue
            value, shape = shape if isinstance(shape[-1], tuple) else (0.5, shape)
            count, strides = 1, []
            for side in reversed(shape):
                strides.insert(0, count)
                count *= side
            entries.append((name, torch.tensor(torch.storage(key=str(len(blobs)), elements=count), 0, shape, strides)))
            blobs.append((f"archive/data/{len(blobs)}", struct.pack("<f", value) * count))
        entries.append(("activation", torch.text("TopK")))
        entries.append(("activation_state_dict", b"}(" + torch.text(stated[0]) + stated[1] + b"u"))
        return torch.zipped([("archive/data.pkl", torch.state(*entries)), *blobs])

    def dictionary(config, *skip, **changed):
        return {"ae.pt": state("latent_bias", "pre_bias", *skip, **{"encoder.bias": (M,), "b_dec": (D,), **changed}), "config.json": json.dumps(config).encode()}

    T = {"dict_class": "AutoEncoderTopK", "activation_dim": D, "dict_size": M, "k": K}
    nan = float("nan")
    yield "openai_good.pt", state(), "ok", ""
    yield "openai_k_above.pt", state(stated=("k", torch.whole(M + 1))), MALFORMED, "k is 7, expected at most the 6 latents"
    yield "openai_k_zero.pt", state(stated=("k", torch.whole(0))), MALFORMED, "lacks k in activation_state_dict"
    yield "openai_k_text.pt", state(stated=("k", torch.text("32"))), MALFORMED, "lacks k in activation_state_dict"
    yield "openai_k_lacking.pt", state(stated=("n", torch.whole(1))), MALFORMED, "lacks k in activation_state_dict"
    yield "openai_width.pt", state(pre_bias=(D + 1,)), MALFORMED, "has the shape [5], expected [4]"
    yield "openai_decoder.pt", state(**{"decoder.weight": (M, D)}), MALFORMED, "has the shape [6, 4], expected [4, 6]"
    yield "openai_lacks.pt", state("latent_bias"), MALFORMED, "lacks the tensor \"latent_bias\""
    yield "openai_nan.pt", state(latent_bias=(nan, (M,))), NONFINITE, "holds NaN or infinity"
    yield "openai_list.pt", torch.zipped([("archive/data.pkl", torch.pickled(b"]"))]), MALFORMED, "holds no dictionary of tensors"
    yield "openai_system.pt", torch.zipped([("archive/data.pkl", torch.pickled(torch.named("os", "system")))]), UNSUPPORTED, "\"os.system\""

    yield "dictionary_good", dictionary({"trainer": T}), "ok", ""
    yield "dictionary_no_config", {"ae.pt": state()}, IO, "cannot be opened"
    yield "dictionary_no_trainer", dictionary({}), MALFORMED, "lacks trainer.dict_class"
    yield "dictionary_class", dictionary({"trainer": {**T, "dict_class": "CrossCoder"}}), UNSUPPORTED, "trainer.dict_class is \"CrossCoder\""
    yield "dictionary_k_above", dictionary({"trainer": {**T, "k": M + 1}}), MALFORMED, "k is 7, expected at most the 6 latents"
    yield "dictionary_k_lacking", dictionary({"trainer": {**T, "k": None}}), MALFORMED, "lacks k"
    yield "dictionary_k_half", dictionary({"trainer": T}, k=(1.5, ())), MALFORMED, "is 1.500000, expected a whole number from 1"
    yield "dictionary_k_shape", dictionary({"trainer": T}, k=(2.0, (2,))), MALFORMED, "has the shape [2], expected one number"
    yield "dictionary_width", dictionary({"trainer": {**T, "activation_dim": D + 1}}), MALFORMED, "states 5 input features, found 4"
    yield "dictionary_nan", dictionary({"trainer": T}, **{"encoder.bias": (nan, (M,))}), NONFINITE, "holds NaN or infinity"
    yield "dictionary_bias", dictionary({"trainer": {**T, "dict_class": "GatedAutoEncoder"}}), MALFORMED, "lacks the tensor \"gate_bias\""

    def gemma(**changed):
        parts = {"W_enc": np.full((D, M), 0.5, np.float32), "W_dec": np.ones((M, D), np.float32), "b_enc": np.zeros(M, np.float32),
                 "b_dec": np.zeros(D, np.float32), "threshold": np.ones(M, np.float32), **changed}
        stream = io.BytesIO()
        np.savez(stream, **{name: part for name, part in parts.items() if part is not None})
        return {"params.npz": stream.getvalue()}

    yield "gemma_good", gemma(scaling_factor=np.ones(M)), "ok", ""
    yield "gemma_factor", gemma(scaling_factor=np.full(M, 2.0)), UNSUPPORTED, "holds other numbers than 1"
    yield "gemma_skip", gemma(affine_skip_connection=np.ones((D, D))), UNSUPPORTED, "is a skip connection"
    yield "gemma_threshold", gemma(threshold=None), MALFORMED, "lacks the tensor \"threshold\""
    yield "gemma_threshold_scalar", gemma(threshold=np.float32(1)), MALFORMED, "has the shape [], expected [6]"
    yield "gemma_decoder", gemma(W_dec=np.ones((D, M), np.float32)), MALFORMED, "has the shape [4, 6], expected [6, 4]"
    yield "gemma_nan", gemma(W_enc=np.full((D, M), nan)), NONFINITE, "holds NaN or infinity"
    yield "gemma_integers", gemma(b_dec=np.zeros(D, np.int32)), UNSUPPORTED, "holds I32, expected a floating-point type"
    yield "gemma_empty", gemma(W_enc=np.zeros((D, 0), np.float32)), MALFORMED, "expected two dimensions of at least 1"

    def llama(config, **changed):
        parts = {"W_E": ([D, M], 0.5), "b_E": ([M], 0.25), "W_D": ([M, D], 1.0), "b_D": ([D], 0.0), **changed}
        stated = {"d_model": D, "act_fn": "topk", "top_k": K, "norm_activation": "inference", **config}
        return {"sae_weights.safetensors": container({name: part for name, part in parts.items() if part is not None}),
                "config.json": json.dumps({key: value for key, value in stated.items() if value is not None}).encode()}

    yield "llama_good", llama({}), "ok", ""
    yield "llama_no_bias", llama({"use_decoder_bias": False}, b_D=None), "ok", ""
    yield "llama_k_above", llama({"top_k": M + 1}), MALFORMED, "k is 7, expected at most the 6 latents"
    yield "llama_k_lacking", llama({"top_k": None}), MALFORMED, "lacks top_k"
    yield "llama_average_lacking", llama({"norm_activation": "dataset-wise"}), UNSUPPORTED, "dataset_average_activation_norm is not stated"
    yield "llama_average_zero", llama({"norm_activation": "dataset-wise", "dataset_average_activation_norm": {"in": 0, "out": 1}}), MALFORMED, "in is \"0\", expected a number above 0"
    yield "llama_average_tiny", llama({"norm_activation": "dataset-wise", "dataset_average_activation_norm": {"in": 1e-300, "out": 1}}), NONFINITE, "its scales make NaN or infinity"
    yield "llama_batch_wise", llama({"norm_activation": "batch-wise"}), UNSUPPORTED, "a batch would decide"
    yield "llama_norm_unknown", llama({"norm_activation": "max"}), UNSUPPORTED, "norm_activation is \"max\""
    yield "llama_act_unknown", llama({"act_fn": "layertopk"}), UNSUPPORTED, "act_fn is \"layertopk\""
    yield "llama_glu", llama({"use_glu_encoder": True}), UNSUPPORTED, "use_glu_encoder is \"true\""
    yield "llama_glu_tensor", llama({}, W_E_glu=([D, M], 1.0)), UNSUPPORTED, "is a gated linear unit"
    yield "llama_crosscoder", llama({"sae_type": "crosscoder"}), UNSUPPORTED, "sae_type is \"crosscoder\""
    yield "llama_threshold_lacking", llama({"act_fn": "jumprelu"}), MALFORMED, "lacks jump_relu_threshold"
    yield "llama_threshold_negative", llama({"act_fn": "jumprelu", "jump_relu_threshold": -1}), MALFORMED, "jump_relu_threshold is \"-1\""
    yield "llama_threshold_infinite", llama({"act_fn": "jumprelu"}, log_jumprelu_threshold=([M], 100.0)), NONFINITE, "an exponential that is too large"
    yield "llama_width", llama({"d_model": D + 1}), MALFORMED, "states 5 input features, found 4"
    yield "llama_decoder", llama({}, W_D=([D, M], 1.0)), MALFORMED, "has the shape [4, 6], expected [6, 4]"
    yield "llama_nan", llama({}, W_D=([M, D], nan)), NONFINITE, "holds NaN or infinity"
    yield "llama_no_config", {"sae_weights.safetensors": llama({})["sae_weights.safetensors"]}, IO, "cannot be opened"


def write_fuzzer_inputs():
    """tests/corpus/sae_formats: for fuzz_sae_formats a byte for the place, one for the switches, and the configuration."""
    places = [("llama_scope_distill", "config.json"), ("llama_scope_new_topk", "config.json"), ("llama_scope_old", "hyperparams.json"),
              ("dictionary_batchtopk", "config.json"), ("dictionary_gated", "config.json"), ("dictionary_jumprelu", "config.json"),
              ("saelens_average_in_weights", "cfg.json"), ("saelens_gated", "cfg.json"), ("saelens_average", "activation_scaler.json")]
    folder = os.path.join(HERE, "sae_formats")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for number, (golden, config) in enumerate(places):
        with open(os.path.join(HERE, "..", "golden", "sae", golden, config), "rb") as file:
            content = file.read()
        for switches in (0, 0b0111, 0b110100, 0b1000000):
            with open(os.path.join(folder, f"{golden}.{switches}"), "wb") as out:
                out.write(bytes([number, switches]) + content)


def main():
    for folder in ("sae", "sae_config"):
        shutil.rmtree(os.path.join(HERE, folder), ignore_errors=True)
        os.makedirs(os.path.join(HERE, folder))
    lines = []
    for name, config, weights, code, part in cases():
        folder = os.path.join(HERE, "sae", name)
        os.makedirs(folder)
        if config is not None:
            config = config if isinstance(config, bytes) else config.encode()
            for file in (os.path.join(folder, "cfg.json"), os.path.join(HERE, "sae_config", name + ".json")):
                with open(file, "wb") as out:
                    out.write(config)
        for file, content in weights.items():
            with open(os.path.join(folder, file), "wb") as out:
                out.write(content)
        lines.append(f"{name}\t{code}\t{part}\n")
    for name, contents, code, part in others():
        path = os.path.join(HERE, "sae", name)
        if isinstance(contents, dict):
            os.makedirs(path)
        for file, content in contents.items() if isinstance(contents, dict) else [("", contents)]:
            with open(os.path.join(path, file) if file else path, "wb") as out:
                out.write(content)
        lines.append(f"{name}\t{code}\t{part}\n")
    write_fuzzer_inputs()
    with open(os.path.join(HERE, "sae", "expectations.tsv"), "w", encoding="utf-8") as out:
        out.writelines(lines)


main()
