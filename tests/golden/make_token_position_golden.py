#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What token reductions leave of models that know in their attention where patches are: run
/usr/bin/python3 tests/golden/make_token_position_golden.py (Debian's python3-torch and python3-numpy). The models of models_positions.py, in float64 from
float32 weights, with the steps of make_token_reduction_golden.py between the branches of their blocks:

  rotary    a token lies at the mean of the centres of the patches that it holds, and turns by the angles of that place; keys are compared as turned
  relative  the bias of two tokens is the mean of the table over all pairs of what they hold: G B G^T, the rows of G being means

token_positions/golden.npz   as token_reduction/golden.npz; <model>.input [n, 3, height, width] gives the size at which a model runs
"""
import json

import numpy as np
import torch

from make_token_reduction_golden import HERE, Tokens, evit, tome
from models_common import Net, pixels, read_safetensors
import models_positions as positions

OUT = HERE / "token_positions"


def means(state):
    return state.holds / state.holds.sum(1, keepdim=True)


class Rotary:
    """DINOv3."""

    def __init__(self, net, config, root):
        self.net, self.config, self.root, self.prefix = net, config, root, 1 + config["num_register_tokens"]

    def embed(self, image):
        x, self.rows, self.columns = positions.dinov3_embed(self.net, self.config, self.root, image)
        return x[0]

    def attention(self, i, state):
        name, eps = f"{self.root}layer.{i}.", self.config["layer_norm_eps"]
        y = self.net.layer_norm(name + "norm1", state.x[None], eps)
        q, k, v = (part[0] for part in positions.dinov3_qkv(self.net, self.config, name, y))
        patches = state.holds[self.prefix:, self.prefix:]
        places = patches @ positions.centres(self.rows, self.columns) / patches.sum(1, keepdim=True)
        angle = positions.angles(self.config, places, self.rows, self.columns)
        q, k = (positions.turned(part, angle, self.prefix) for part in (q, k))
        return q, k, v, 0

    def join(self, i, x, mixed):
        name, d = f"{self.root}layer.{i}.", self.config["hidden_size"]
        y = self.net.linear(name + "attention.o_proj", mixed[None], d, bias=self.config["proj_bias"])[0]
        return x + y * self.net.tensor(name + "layer_scale1.lambda1", (d,), "layer_scale")

    def mlp(self, i, x):
        name, d, eps = f"{self.root}layer.{i}.", self.config["hidden_size"], self.config["layer_norm_eps"]
        y = positions.dinov3_mlp(self.net, self.config, name, self.net.layer_norm(name + "norm2", x[None], eps))[0]
        return x + y * self.net.tensor(name + "layer_scale2.lambda1", (d,), "layer_scale")

    def head(self, state):
        x = self.net.layer_norm(self.root + "norm", state.x, self.config["layer_norm_eps"])
        if "id2label" not in self.config:
            return x[0]
        weights = state.sizes[self.prefix:, None]
        mean = (weights * x[self.prefix:]).sum(0) / weights.sum()
        return self.net.linear("classifier", torch.cat([x[0], mean])[None], len(self.config["id2label"]))[0]


class Relative:
    """BEiT with a mean over patches."""
    prefix = 1

    def __init__(self, net, config):
        self.net, self.config = net, config

    def embed(self, image):
        x, rows, columns = positions.beit_embed(self.net, self.config, image)
        self.biases = positions.beit_tables(self.net, self.config, rows, columns)
        return x[0]

    def attention(self, i, state):
        name = f"beit.encoder.layer.{i}."
        y = self.net.layer_norm(name + "layernorm_before", state.x[None], self.config["layer_norm_eps"])
        q, k, v = (part[0] for part in positions.beit_qkv(self.net, self.config, name, y))
        return q, k, v, means(state) @ self.biases[i] @ means(state).T

    def scaled(self, i, which, y):
        d = self.config["hidden_size"]
        return y * self.net.tensor(f"beit.encoder.layer.{i}.lambda_{which}", (d,), "layer_scale")

    def join(self, i, x, mixed):
        name = f"beit.encoder.layer.{i}.attention.output.dense"
        return x + self.scaled(i, 1, self.net.linear(name, mixed[None], self.config["hidden_size"])[0])

    def mlp(self, i, x):
        name = f"beit.encoder.layer.{i}."
        y = self.net.layer_norm(name + "layernorm_after", x[None], self.config["layer_norm_eps"])
        return x + self.scaled(i, 2, positions.beit_mlp(self.net, self.config, name, y)[0])

    def head(self, state):
        weights = state.sizes[1:, None]
        mean = (weights * state.x[1:]).sum(0) / weights.sum()
        pooled = self.net.layer_norm("beit.pooler.layernorm", mean[None], self.config["layer_norm_eps"])
        return self.net.linear("classifier", pooled, len(self.config["id2label"]))[0]


def run(model, image, steps, proportional):
    """One image [3, height, width]: what the model says, rows, sizes."""
    model.net.record.clear()
    config = model.config
    depth, heads = config["num_hidden_layers"], config["num_attention_heads"]
    state = Tokens(model.embed(image[None]), model.prefix)
    sources = state.x.shape[0]
    rows, sizes = np.full((depth, sources), -1, np.int32), np.zeros((depth, sources), np.float32)
    for i in range(depth):
        q, k, v, bias = model.attention(i, state)
        scores = q @ k.transpose(1, 2) * (config["hidden_size"] // heads) ** -0.5 + bias
        attention = (scores + state.key_weights.log() if proportional else scores).softmax(-1)
        state.x = model.join(i, state.x, (attention @ v).transpose(0, 1).flatten(1))
        if i in steps:
            steps[i](state, {"k": k, "attention": attention})
        state.x = model.mlp(i, state.x)
        for token, sourced in enumerate(state.holds.numpy()):
            rows[i, sourced > 0] = token
        sizes[i, :state.holds.shape[0]] = state.sizes.numpy()
    return model.head(state).numpy(), rows, sizes


def merging(depth, r):
    return {i: (lambda s, p: tome(s, p, r)) for i in range(depth)}


def pruning(keep, fuse, blocks):
    return {i: (lambda s, p: evit(s, p, keep, fuse)) for i in blocks}


def main():
    torch.set_num_threads(1)
    out = {}
    for name, height, width in (("hf_dinov3", 24, 32), ("hf_dinov3_gated", 16, 16), ("hf_beit", 16, 16), ("hf_beit_resized", 24, 20)):
        folder = HERE / "models" / name
        config = json.loads((folder / "config.json").read_text())
        net = Net(tensors={k: torch.from_numpy(v.astype(np.float64)) for k, v in read_safetensors(folder / "model.safetensors").items()})
        model = Relative(net, config) if "beit" in name else Rotary(net, config, "dinov3_vit." if "gated" in name else "")
        images = pixels(name + "/tokens", height, width)["pixel_values"]
        out[name + ".input"] = images.numpy().astype(np.float32)
        depth = config["num_hidden_layers"]
        cases = {"none": ({}, True), "tome4": (merging(depth, 4), True), "tome_plain": (merging(depth, 5), False),
                 "evit_fused": (pruning(0.6, True, [0]), False), "evit_pruned": (pruning(0.5, False, [0]), False)}
        for case, (steps, proportional) in cases.items():
            with torch.no_grad():
                found = [run(model, image, steps, proportional) for image in images]
            for part, key in enumerate(("logits", "row", "sizes")):
                out[f"{name}.{case}.{key}"] = np.stack([f[part] for f in found]).astype(np.float32 if key != "row" else np.int32)
    OUT.mkdir(exist_ok=True)
    np.savez_compressed(OUT / "golden.npz", **out)
    print(f"{(OUT / 'golden.npz').stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
