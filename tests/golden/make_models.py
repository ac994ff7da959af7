#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiny random models of every family and their exact activations: run /usr/bin/python3 tests/golden/make_models.py
(Debian's python3-torch and python3-numpy). Arguments, if any, name the variants to make; the default is all.

models/<variant>/config.json        as the library that publishes such checkpoints writes it
models/<variant>/model.safetensors  float32 tensors under the published names (position and mask buffers included)
models/<variant>/golden.npz         float32, computed in float64 from those float32 tensors:
  pixel_values [n,3,H,W] or input_ids [n,T] int64; BERT-style also token_type_ids, attention_mask [n,T] int64
  logits (output where the checkpoint ends in an embedding)
  block.<i>      output of block i, [n,T,d]; Swin numbers the blocks through all stages, [n,rows*columns,C]
  attn.<i>       softmax of block i, [n,heads,T,T]; Swin [n*windows,heads,M*M,M*M]: the windows of a
                 sample from left to right, then down, after roll and padding (padded keys included)
  in.<name>      input of the linear layer whose weight is <name>.weight (the output head is always in.lm_head or
                 in.<decoder>, tied or not), [n*T,features], sample-major; Swin's in the order of the image's tokens,
                 without padding ([n*rows*columns,C]), whatever windows they go through
  hidden.final   after the last norm: [n,T,d]; only the normed row [n,d] where the norm follows the pooling (timm's
                 fc_norm, CLIP's post_layernorm); where there is no last norm, what the output head reads

Padding (attention_mask 0) is at the end of the second sample only; real tokens come out as they do without it.
Run in float32 by torch, the same models differ from these numbers by less than 1.3e-6 of the largest value of an array;
gelu and its tanh form differ by 5e-5 of it. Compare to 2e-5 of the largest value.

Weights, biases and norms are drawn so that each matters. Before a folder is written the script asserts that every
tensor, and every option listed beside the variant, changes some recorded number.
"""
import os
import pathlib
import sys

sys.dont_write_bytecode = True
os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")  # the fallback kernels are several times slower

import torch  # noqa: E402

import models_check  # noqa: E402
import models_decoders  # noqa: E402
import models_encoders  # noqa: E402
import models_hf_vit  # noqa: E402
import models_positions  # noqa: E402
import models_swin  # noqa: E402
import models_timm_vit  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
FAMILIES = [models_timm_vit, models_hf_vit, models_positions, models_swin, models_decoders, models_encoders]


def main(names):
    torch.set_num_threads(1)
    models_check.check_against_torch(HERE.parent.parent / "datasets" / "vit20")
    variants = [v for family in FAMILIES for v in family.variants()]
    unknown = set(names) - {v.name for v in variants}
    if unknown:
        sys.exit(f"unknown variants: {', '.join(sorted(unknown))}")
    total = 0
    for variant in variants:
        if names and variant.name not in names:
            continue
        net = variant.build()
        models_check.check_variant(variant, net)
        size = variant.write(HERE / "models", net)
        total += size
        peak = max(float(v.abs().max()) for k, v in net.record.items() if k.startswith("block."))
        print(f"{variant.name:28} {size / 1024:7.1f} KiB  largest activation {peak:6.2f}")
    print(f"{total / 2 ** 20:.2f} MiB")


if __name__ == "__main__":
    main(sys.argv[1:])
