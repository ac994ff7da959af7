#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the directories of tests/corpus/sae and expectations.tsv beside them (directory, error code, part of the error's text),
and the configurations alone in tests/corpus/sae_config, which the fuzzer begins with."""
import json
import os
import shutil
import struct

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
    yield "architecture_gated", text(L, architecture="gated"), l, UNSUPPORTED, "architecture is \"gated\", expected standard, topk or jumprelu"
    yield "function_unknown", text(L, architecture="absent", activation_fn="tanh-relu"), l, UNSUPPORTED, "activation_fn is \"tanh-relu\""
    yield "normalisation_unfolded", text(L, normalize_activations="expected_average_only_in"), l, UNSUPPORTED, "folded into the weights"
    yield "normalisation_old_true", text(L, normalize_activations=True), l, UNSUPPORTED, "folded into the weights"
    yield "normalisation_unknown", text(L, normalize_activations="max"), l, UNSUPPORTED, "expected none, constant_norm_rescale or layer_norm"
    yield "normalisation_number", text(L, normalize_activations=1), l, MALFORMED, "normalize_activations is \"1\", expected a text"
    yield "reshape_unknown", text(L, reshape_activations="fold"), l, UNSUPPORTED, "reshape_activations is \"fold\""
    yield "scaling_factor", text(L, finetuning_scaling_factor=True), l, UNSUPPORTED, "finetuning_scaling_factor is \"true\""
    yield "flag_number", text(S, transcode=1), s, MALFORMED, "transcode is \"1\", expected true or false"
    yield "metadata_text", text(L, metadata="x"), l, MALFORMED, "metadata is \"\"x\"\", expected an object"
    yield "config_array", "[1]", s, MALFORMED, "expected a JSON object"
    yield "config_empty", "", s, MALFORMED, "is not valid JSON"
    yield "config_cut", text(S)[:-1], s, MALFORMED, "is not valid JSON"
    yield "config_key_twice", '{"k": 1, "k": 2}', s, MALFORMED, "the key \"k\" occurs twice"
    yield "config_deep", "[" * 40 + "]" * 40, s, LIMIT, "nested deeper than 32 levels"
    yield "config_utf8", '{"model_name": "\xff"}'.encode("latin-1"), l, MALFORMED, "is not valid JSON"


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
    with open(os.path.join(HERE, "sae", "expectations.tsv"), "w", encoding="utf-8") as out:
        out.writelines(lines)


main()
