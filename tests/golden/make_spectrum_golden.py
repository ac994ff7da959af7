#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes spectrum_golden.tsv: spectra and losses of datasets/vit20 by NumPy and h5py, by another route than Tamis takes
(full SVD of W and of W C^{1/2} with an explicit square root; losses from the residual matrix itself).

usage: /usr/bin/python3 tests/golden/make_spectrum_golden.py     (from the root of the source tree)
"""
import json
import struct

import h5py
import numpy as np

MODEL = "datasets/vit20/model.safetensors"
CALIBRATION = "datasets/vit20/calibration.h5"
OUT = "tests/golden/spectrum_golden.tsv"
RANKS = [0, 1, 8, 40, 96, 127]
SETTINGS = [(0.0, "gram"), (1e-3, "gram"), (0.1, "gram"), (1e-2, "samples")]


def tensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        start = 8 + length
        for name, entry in header.items():
            if name == "__metadata__" or len(entry["shape"]) < 2:
                continue
            assert entry["dtype"] == "F32"
            begin, end = entry["data_offsets"]
            file.seek(start + begin)
            values = np.frombuffer(file.read(end - begin), "<f4").astype(np.float64)
            yield name[: -len(".weight")] if name.endswith(".weight") else name, values.reshape(entry["shape"][0], -1)


def root(c):
    values, vectors = np.linalg.eigh(c)
    return vectors * np.sqrt(np.maximum(values, 0))


def main():
    lines = ["method\tridge\tstatistics\tmatrix\tquantity\tindex\tvalue"]

    def write(method, ridge, statistics, name, quantity, index, value):
        lines.append(f"{method}\t{ridge!r}\t{statistics}\t{name}\t{quantity}\t{index}\t{float(value)!r}")

    with h5py.File(CALIBRATION) as calibration:
        for name, w in sorted(tensors(MODEL)):
            site = calibration["sites"].get(name)
            if site is None:
                continue
            u, s, vt = np.linalg.svd(w, full_matrices=False)
            ranks = [r for r in RANKS if r < len(s)]
            for r in ranks:
                write("spectrum.plain", 0.0, "-", name, "singularValue", r, s[r])
                write("spectrum.plain", 0.0, "-", name, "loss", r, np.sum((w - (u[:, :r] * s[:r]) @ vt[:r]) ** 2))
            write("spectrum.plain", 0.0, "-", name, "effectiveRank", 0, np.exp(-np.sum(s / s.sum() * np.log(s / s.sum()))))
            write("spectrum.plain", 0.0, "-", name, "stableRank", 0, np.sum(s**2) / s[0] ** 2)
            write("spectrum.plain", 0.0, "-", name, "nuclearNorm", 0, s.sum())
            samples, held = site["samples"][()].astype(np.float64), site["heldout"][()].astype(np.float64)
            for ridge, statistics in SETTINGS:
                c = site["gram"][()] if statistics == "gram" else samples.T @ samples
                added = ridge * np.trace(c) / len(c)
                u, s, _ = np.linalg.svd(w @ root(c + added * np.eye(len(c))), full_matrices=False)
                plain_root = root(c)
                for r in ranks:
                    residual = w - u[:, :r] @ (u[:, :r].T @ w)
                    key = ("spectrum.whitened", ridge, statistics, name)
                    write(*key, "singularValue", r, s[r])
                    write(*key, "loss", r, np.sum((residual @ plain_root) ** 2))
                    write(*key, "sampleLoss", r, np.sum((residual @ samples.T) ** 2))
                    write(*key, "heldOutLoss", r, np.sum((residual @ held.T) ** 2))
    with open(OUT, "w", encoding="ascii", newline="\n") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
