#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes joint_golden.tsv: objectives of joint queries and keys, and of values and outputs, on datasets/vit20 by NumPy and h5py. Every
head's product is formed with the symmetric root of C, and every displacement of a rotary window by itself.

usage: /usr/bin/python3 tests/golden/make_joint_golden.py     (from the root of the source tree)
"""
import json
import struct

import h5py
import numpy as np

from make_spectrum_golden import CALIBRATION, MODEL

OUT = "tests/golden/joint_golden.tsv"
HEADS, DIM, ITERATIONS = 4, 32, 10
RANKS = [(4, 4), (12, 20), (40, 24)]


def tensors():
    """{name: values}, all of F32."""
    with open(MODEL, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(length)), file.read()
    header.pop("__metadata__", None)
    return {name: np.frombuffer(data[entry["data_offsets"][0]:entry["data_offsets"][1]], "<f4").reshape(entry["shape"]).astype(np.float64)
            for name, entry in header.items()}


def root(c):
    values, vectors = np.linalg.eigh(c)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def leading(gram, rank):
    values, vectors = np.linalg.eigh((gram + gram.T) / 2)
    return vectors[:, ::-1][:, :rank].T


def tucker(products, rank_left, rank_right):
    """Share of sum |G|^2 that is lost with planes of these ranks; each product a pair (weight, G)."""
    total = sum(w * np.sum(g * g) for w, g in products)
    left = leading(sum(w * g @ g.T for w, g in products), rank_left)
    for _ in range(ITERATIONS + 1):
        right = leading(sum(w * (left @ g).T @ (left @ g) for w, g in products), rank_right)
        lost = 1 - sum(w * np.sum((left @ g @ right.T) ** 2) for w, g in products) / total
        left = leading(sum(w * (g @ right.T) @ (g @ right.T).T for w, g in products), rank_left)
    return lost


def rotation(d, theta=100.0):
    angle = d * theta ** (-np.arange(DIM // 2) * 2.0 / DIM)
    c, s = np.diag(np.cos(angle)), np.diag(np.sin(angle))
    return np.block([[c, -s], [s, c]])


def head(w, i):
    return w[i * DIM:(i + 1) * DIM]


weights = tensors()
with h5py.File(CALIBRATION) as file, open(OUT, "w") as out:
    out.write("# layer\tform\tfirst rank\tsecond rank\tobjective\n")
    for layer in (0, 3):
        site = file["sites"][f"blocks.{layer}.attn.qkv"]
        c, mean, count = site["gram"][...], site["mean"][...], int(site.attrs["count"])
        qkv, bias = weights[f"blocks.{layer}.attn.qkv.weight"], weights[f"blocks.{layer}.attn.qkv.bias"]
        wide = np.block([[c, count * mean[:, None]], [count * mean[None, :], np.array([[float(count)]])]])
        half, centred = root(wide), root(c - count * np.outer(mean, mean))
        q, k, v = (np.c_[qkv, bias][i * 128:(i + 1) * 128] for i in range(3))
        scores = [(1.0, half @ head(q, i).T @ head(k, i) @ half) for i in range(HEADS)]
        plain = root(c)
        window = [(12 - d) / 78 for d in range(12)]
        turned = [(w, plain @ head(q, i)[:, :128].T @ rotation(d).T @ head(k, i)[:, :128] @ plain) for i in range(HEADS) for d, w in enumerate(window)]
        mixed = file["sites"][f"blocks.{layer}.attn.proj"]
        z = mixed["gram"][...] - int(mixed.attrs["count"]) * np.outer(mixed["mean"][...], mixed["mean"][...])
        wo = weights[f"blocks.{layer}.attn.proj.weight"]
        products = []
        for i in range(HEADS):
            alone = np.sum((head(v, i)[:, :128] @ centred) ** 2)
            own = np.trace(z[i * DIM:(i + 1) * DIM, i * DIM:(i + 1) * DIM])
            products.append((own / alone, wo[:, i * DIM:(i + 1) * DIM] @ head(v, i)[:, :128] @ centred))
        for first, second in RANKS:
            out.write(f"{layer}\tscores\t{first}\t{second}\t{tucker(scores, first, second):.15e}\n")
            out.write(f"{layer}\trotary\t{first}\t{second}\t{tucker(turned, first, second):.15e}\n")
            out.write(f"{layer}\tproducts\t{first}\t{second}\t{tucker(products, first, second):.15e}\n")
        for rank in (3, 10):
            total = sum(np.sum(g * g) for _, g in products)
            lost = sum(np.sum(np.linalg.svd(g, compute_uv=False)[rank:] ** 2) for _, g in products)
            out.write(f"{layer}\tsplit\t{rank}\t{rank}\t{lost / total:.15e}\n")
