# SPDX-License-Identifier: GPL-3.0-or-later
"""What the reference models share: the tensor store that records activations, norms, attention, file writers.

A model is one function forward(net, config, inputs). It asks the Net for tensors by their checkpoint name and shape; a
Net that makes a new model draws them (every tensor from its own seed, so their order does not matter), a Net around
existing tensors looks them up. All tensors are float32 values; all arithmetic is float64.
"""
import json
import math
import os
import struct
import zlib

import numpy as np
import torch
import torch.nn.functional as F

# How a tensor is drawn: name of the kind -> (RandomState, shape) -> array. Norm weights stay far from 1 and biases far
# from 0, so that a forward pass that forgets one is far off.
DRAWS = {
    "matrix": lambda r, s: r.standard_normal(s) * 1.1 / math.sqrt(np.prod(s[1:])),
    "matrix_in_out": lambda r, s: r.standard_normal(s) * 1.1 / math.sqrt(s[0]),
    "bias": lambda r, s: r.standard_normal(s) * 0.3,
    "norm_weight": lambda r, s: r.uniform(0.4, 1.7, s),
    "norm_bias": lambda r, s: r.standard_normal(s) * 0.3,
    "embedding": lambda r, s: r.standard_normal(s) * 0.8,
    "layer_scale": lambda r, s: r.uniform(0.3, 1.5, s),
    "relative_bias": lambda r, s: r.standard_normal(s) * 1.0,
}

ACTIVATIONS = {
    "gelu": lambda x: F.gelu(x),
    "gelu_new": lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))),
    "gelu_pytorch_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "relu": F.relu,
    "silu": F.silu,
}


class Net:
    """Tensors by checkpoint name, and the activations that a forward pass leaves behind in `record`."""

    def __init__(self, seed_text=None, tensors=None):
        self.seed_text = seed_text
        self.tensors = {} if tensors is None else tensors
        self.buffers = {}  # int64 or float32 arrays of the checkpoint that no formula reads
        self.record = {}

    def tensor(self, name, shape, kind):
        shape = tuple(int(s) for s in shape)
        if name not in self.tensors:
            if self.seed_text is None:
                raise KeyError(f"tensor {name} is missing")
            random = np.random.RandomState(zlib.crc32(f"{self.seed_text}/{name}".encode()))
            values = np.asarray(DRAWS[kind](random, shape), np.float32)
            self.tensors[name] = torch.from_numpy(values).double()
        found = self.tensors[name]
        if tuple(found.shape) != shape:
            raise ValueError(f"tensor {name}: shape {tuple(found.shape)}, expected {shape}")
        return found

    def buffer(self, name, array):
        self.buffers[name] = array

    def keep(self, name, value):
        if name in self.record:
            raise ValueError(f"{name} is recorded twice")
        self.record[name] = value.detach()

    def linear(self, name, x, out, bias=True, weight=None, seen=None):
        """x W^T + b; `weight` is given where a tied tensor takes the place of <name>.weight, `seen` where the rows to
        record are those of x in another order."""
        self.keep("in." + name, (x if seen is None else seen).reshape(-1, x.shape[-1]))
        if weight is None:
            weight = self.tensor(name + ".weight", (out, x.shape[-1]), "matrix")
        y = x @ weight.T
        return y + self.tensor(name + ".bias", (out,), "bias") if bias else y

    def conv1d(self, name, x, out):
        """transformers' Conv1D: x W + b with W [in, out]."""
        self.keep("in." + name, x.reshape(-1, x.shape[-1]))
        weight = self.tensor(name + ".weight", (x.shape[-1], out), "matrix_in_out")
        return x @ weight + self.tensor(name + ".bias", (out,), "bias")

    def layer_norm(self, name, x, eps, weight="weight", bias="bias"):
        w = self.tensor(f"{name}.{weight}", x.shape[-1:], "norm_weight")
        b = self.tensor(f"{name}.{bias}", x.shape[-1:], "norm_bias")
        mean = x.mean(-1, keepdim=True)
        variance = ((x - mean) ** 2).mean(-1, keepdim=True)
        return (x - mean) / torch.sqrt(variance + eps) * w + b

    def rms_norm(self, name, x, eps):
        w = self.tensor(name + ".weight", x.shape[-1:], "norm_weight")
        return w * (x / torch.sqrt((x * x).mean(-1, keepdim=True) + eps))

    def patches(self, name, pixels, d, patch, bias=True):
        """A convolution whose stride is its kernel, as [n, rows, columns, d]."""
        weight = self.tensor(name + ".weight", (d, pixels.shape[1], patch, patch), "matrix")
        b = self.tensor(name + ".bias", (d,), "bias") if bias else None
        return F.conv2d(pixels, weight, b, stride=patch).permute(0, 2, 3, 1)


def split_heads(x, heads):
    """[n, T, heads * dh] -> [n, heads, T, dh]."""
    n, t, d = x.shape
    return x.reshape(n, t, heads, d // heads).transpose(1, 2)


def attend(net, block, q, k, v, scale, bias=None):
    """softmax(q k^T scale + bias) v with heads merged again: [n, T, heads * dh]. Records the probabilities."""
    scores = q @ k.transpose(-1, -2) * scale
    if bias is not None:
        scores = scores + bias
    weights = torch.softmax(scores, -1)
    net.keep(f"attn.{block}", weights)
    y = (weights @ v).transpose(1, 2)
    return y.reshape(y.shape[0], y.shape[1], -1)


def write_safetensors(path, arrays):
    """8 bytes little-endian header length, JSON header padded with spaces to 8 bytes, the arrays' bytes."""
    kinds = {"float32": "F32", "int64": "I64"}
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name in sorted(arrays):
        a = arrays[name]
        header[name] = {"dtype": kinds[str(a.dtype)], "shape": list(a.shape),
                        "data_offsets": [offset, offset + a.nbytes]}
        offset += a.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name in sorted(arrays):
            f.write(np.ascontiguousarray(arrays[name]).astype(arrays[name].dtype.newbyteorder("<")).tobytes())


def read_safetensors(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        body = f.read()
    kinds = {"F32": "<f4", "I64": "<i8"}
    return {name: np.frombuffer(body[e["data_offsets"][0]:e["data_offsets"][1]], kinds[e["dtype"]]).reshape(e["shape"])
            for name, e in header.items() if name != "__metadata__"}


class Variant:
    """One golden model: forward function, config.json, inputs, and configs that must give visibly other numbers."""

    def __init__(self, name, forward, config, inputs, others=()):
        self.name, self.forward, self.config, self.inputs, self.others = name, forward, config, inputs, others

    def build(self):
        net = Net(seed_text=self.name)
        with torch.no_grad():
            self.forward(net, self.config, self.inputs)
        return net

    def rerun(self, net, config=None, changed=None):
        """The record of the same tensors under another config or with some tensors changed."""
        again = Net(seed_text=self.name, tensors={**net.tensors, **(changed or {})})
        with torch.no_grad():
            self.forward(again, config or self.config, self.inputs)
        return again.record

    def write(self, folder, net):
        path = os.path.join(folder, self.name)
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, "config.json"), "w") as f:
            json.dump(self.config, f, indent=1, sort_keys=True)
            f.write("\n")
        arrays = {k: v.numpy().astype(np.float32) for k, v in net.tensors.items()}
        write_safetensors(os.path.join(path, "model.safetensors"), {**arrays, **net.buffers})
        golden = {k: v.numpy().astype(np.float32) for k, v in net.record.items()}
        for k, v in self.inputs.items():
            a = v.numpy()
            golden[k] = a.astype(np.float32) if v.is_floating_point() else a
        np.savez(os.path.join(path, "golden.npz"), **golden)
        return sum(os.path.getsize(os.path.join(path, f)) for f in os.listdir(path))


def pixels(name, height, width, n=2):
    """Smooth colours plus noise, about N(0, 1), rounded to float32: [n, 3, height, width]."""
    random = np.random.RandomState(zlib.crc32(f"{name}/pixels".encode()))
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(0.31 * (c + 1) * x + 0.17 * (s + 1) * y + c + 2 * s) for s in range(n) for c in range(3)])
    values = waves.reshape(n, 3, height, width) + 0.6 * random.standard_normal((n, 3, height, width))
    return {"pixel_values": torch.from_numpy(values.astype(np.float32)).double()}


def token_ids(name, vocabulary, length, n=2, low=0):
    random = np.random.RandomState(zlib.crc32(f"{name}/tokens".encode()))
    return {"input_ids": torch.from_numpy(random.randint(low, vocabulary, (n, length)).astype(np.int64))}


def labels(count):
    """id2label and label2id as the real config.json has them."""
    return {"id2label": {str(i): f"LABEL_{i}" for i in range(count)},
            "label2id": {f"LABEL_{i}": i for i in range(count)}}


HF_COMMON = {"torch_dtype": "float32", "transformers_version": "4.44.0"}
