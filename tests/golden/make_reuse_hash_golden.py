#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What dHash and pHash give: run /usr/bin/python3 tests/golden/make_reuse_hash_golden.py (Debian's python3-numpy).
Written from the definitions in core/reuse/perceptual_hash.h: means over areas as differences of the summed picture, interpolated at the areas' borders;
the DCT-II as a product with its matrix.

reuse_hash_golden.npz  <case> [h, w] f32; <case>.dhash, <case>.phash [2] i64: low and high 32 bits
A case one of whose bits hangs on a difference below 1e-6 grey levels is refused: sums in double in another order are off by less than 1e-9. Two means in
one pixel are equal, which is not below.
"""
import pathlib
import sys

sys.dont_write_bytecode = True

import numpy as np  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
MARGIN, TIE = 1e-6, 1e-9


def means(picture, rows, cols):
    """Of equal areas: the picture summed up to each border, by lines between its pixels' borders."""
    for axis, parts in ((0, rows), (1, cols)):
        length = picture.shape[axis]
        total = np.concatenate([np.zeros_like(np.take(picture, [0], axis)), np.cumsum(picture, axis)], axis)
        borders = np.arange(parts + 1) * length / parts
        at = np.apply_along_axis(lambda line: np.interp(borders, np.arange(length + 1), line), axis, total)
        picture = np.diff(at, axis=axis) * parts / length
    return picture


def packed(bits):
    value = sum(int(bit) << i for i, bit in enumerate(bits))
    return np.array([value & 0xFFFFFFFF, value >> 32], np.int64)


def dhash(picture):
    difference = np.diff(means(picture, 8, 9), axis=1)
    tie = abs(difference) < TIE
    assert (tie | (abs(difference) > MARGIN)).all(), "two means nearly alike"
    return packed(((difference > 0) & ~tie).ravel())


def phash(picture):
    k, i = np.mgrid[0:8, 0:32]
    waves = np.cos(np.pi * k * (2 * i + 1) / 64)
    found = (waves @ means(picture, 32, 32) @ waves.T).ravel()
    median = np.median(found[1:])
    off = np.sort(abs(found - median))
    assert off[0] == 0 and off[1] > MARGIN, "a coefficient at the median"
    return packed(found > median)


def main():
    r = np.random.RandomState(17)
    y, x = np.mgrid[0:48, 0:80]
    pictures = {
        "noise": r.normal(120, 40, (64, 72)),
        "odd": r.normal(90, 25, (37, 53)),      # no side is a multiple of 8, 9 or 32
        "small": r.normal(100, 30, (4, 4)),     # smaller than the grid of means: every pixel lies in several. Of 16 values two cosines are alike: dHash alone
        "narrow": r.normal(100, 30, (16, 5)),
        "waves": 128 + 60 * np.sin(0.11 * x + 0.05 * y) + 40 * np.cos(0.17 * y - 0.02 * x),
    }
    arrays = {}
    for name, picture in pictures.items():
        picture = picture.astype(np.float32)
        arrays[name] = picture
        for kind, of in (("dhash", dhash), ("phash", phash)):
            if name != "small" or kind == "dhash":
                arrays[f"{name}.{kind}"] = of(picture.astype(float))
                print(name, picture.shape, kind, "%08x%08x" % tuple(arrays[f"{name}.{kind}"][::-1]))
    np.savez_compressed(HERE / "reuse_hash_golden.npz", **arrays)


if __name__ == "__main__":
    main()
