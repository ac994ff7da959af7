#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks an export directory with NumPy alone: check_export.py MODEL.safetensors EXPORT [GRAMS.h5]. Status 77: no NumPy.

Rebuilds every replaced matrix from factors.safetensors by the formulas of docs/formats-plan.md, compares it with
model.safetensors and with base + adapter, and its loss with recipe.json (in the metric of the Gram matrices, given h5py)."""
import json
import os
import struct
import sys

try:
    import numpy as np
    if len(sys.argv) > 3:
        import h5py
except ImportError:
    sys.exit(77)

TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8"}


def tensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    found = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        dtype = np.dtype(TYPES[entry["dtype"]])
        assert begin % dtype.itemsize == 0, name + " is not aligned"
        found[name] = np.frombuffer(data[begin:end], dtype).reshape(entry["shape"])
    return found


model, out = tensors(sys.argv[1]), sys.argv[2]
factors = tensors(os.path.join(out, "factors.safetensors"))
dense = tensors(os.path.join(out, "model.safetensors"))
base = tensors(os.path.join(out, "lora/base/model.safetensors"))
adapter = tensors(os.path.join(out, "lora/adapter_model.safetensors"))
recipe = json.load(open(os.path.join(out, "recipe.json")))
grams = h5py.File(sys.argv[3]) if len(sys.argv) > 3 else None
checked = 0
for op in recipe["operators"]:
    name, shape = op["name"], (op["rows"], op["cols"])
    if op["layout"] == "dense":
        assert np.array_equal(model[op["tensor"]], dense[op["tensor"]]), name
        continue
    a, b = (factors[name + ".lowrank_" + which].astype(np.float64) for which in "ab")
    if op["layout"] == "block-identity":
        full = np.zeros((op["rank"], op["cols"]))
        full[:, factors[name + ".lowrank_perm"]] = np.hstack([np.eye(op["rank"]), a])
        a = full
    w = model[op["tensor"]].reshape(shape).astype(np.float64)
    product = b @ a
    written = dense[op["tensor"]].reshape(shape).astype(np.float64)
    # F32 roundings of the factors and of the product: some 1e-7 of the norm.
    assert np.linalg.norm(product - written) < 2e-6 * np.linalg.norm(written), name + ": dense is not B A"
    prefix = "base_model.model." + name
    low = adapter[prefix + ".lora_B.weight"].reshape(shape[0], -1).astype(np.float64) @ \
        adapter[prefix + ".lora_A.weight"].reshape(-1, shape[1]).astype(np.float64)
    whole = base[op["tensor"]].reshape(shape) + low
    assert np.linalg.norm(whole - w) < 1e-7 * np.linalg.norm(w), name + ": base and adapter are not W"
    d = w - product
    loss = np.sum((d @ grams["sites"][name]["gram"][()]) * d) if grams else np.sum(d * d)
    assert abs(loss - op["predictedLoss"]) < 1e-5 * op["predictedLoss"], (name, loss, op["predictedLoss"])
    checked += 1
print(checked, sum(t.size for n, t in factors.items() if not n.endswith(".lowrank_perm")))
