#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantised attention of one head from its formulas: writes quantised_attention_golden.npz beside itself. Run with Debian's python3-numpy.
What decides a code (scale, quotient, rounding) is in float32, as it is defined; everything behind the codes is in double."""
import pathlib
import numpy as np

N, D = 300, 10  # more keys than are coded together (256), a width that is no multiple of 4
SCALE = np.float32(0.25)
CODED = 256


def codes(x, shift, levels, step):
    """Whole numbers and a scale for each row: max / levels over steps of rows."""
    y = (x - shift).astype(np.float32)
    scales, result = np.zeros(len(x), np.float32), np.zeros(x.shape)
    for i in range(0, len(x), step):
        scales[i:i + step] = np.abs(y[i:i + step]).max() / np.float32(levels)
    for i, s in enumerate(scales):
        z = y[i] * (np.float32(1) / s)
        result[i] = np.trunc(z + np.copysign(np.float32(0.5), z))
    assert np.abs(result).max() <= levels
    return result, scales.astype(float)


def scores(q, k, bits, scale_of, query_block, key_block, smooth):
    if bits == 32:
        return float(SCALE) * q.astype(float) @ k.astype(float).T
    levels = 127 if bits == 8 else 7
    steps = {"tensor": (N, N), "token": (1, 1), "block": (query_block, key_block)}[scale_of]
    mean = k.astype(float).mean(axis=0).astype(np.float32) if smooth else np.zeros(D, np.float32)
    cq, sq = codes(q, np.zeros(D, np.float32), levels, steps[0])
    ck, sk = codes(k, mean, levels, steps[1])
    return float(SCALE) * (cq @ ck.T) * sq[:, None] * sk[None, :]


def visible(causal, sliding):
    i, j = np.indices((N, N))
    seen = np.ones((N, N), bool) if not causal else j <= i
    return seen & (j > i - sliding) if sliding else seen


def mixed(s, v, seen, bits):
    s = np.where(seen, s, -np.inf)
    if bits == 32:
        e = np.exp(s - s.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True) @ v.astype(float)
    scale = np.abs(v).max(axis=0) / np.float32(127)
    z = v * (np.float32(1) / scale)
    values = np.trunc(z + np.copysign(np.float32(0.5), z)) * scale.astype(float)
    top, total, out = np.full(N, -np.inf), np.zeros(N), np.zeros((N, D))
    for begin in range(0, N, CODED):  # weights of these keys are relative to the greatest score up to their end
        part = s[:, begin:begin + CODED]
        now = np.maximum(top, part.max(axis=1))
        some = np.isfinite(now)
        shrink = np.where(np.isfinite(top), np.exp(np.where(some, top - now, 0)), 0)
        weights = np.floor(255 * np.exp(np.where(some[:, None], part - np.where(some, now, 0)[:, None], -np.inf)) + 0.5)
        total = total * shrink + weights.sum(axis=1)
        out = out * shrink[:, None] + weights @ values[begin:begin + CODED]
        top = now
    return out / total[:, None]


def main():
    rng = np.random.default_rng(41)
    q = (1.5 * rng.normal(size=(N, D))).astype(np.float32)
    k = (rng.normal(size=(N, D)) + 3 * rng.normal(size=D)).astype(np.float32)
    v = rng.normal(size=(N, D)).astype(np.float32)
    arrays = {"q": q, "k": k, "v": v}
    cases = [(bits, 32, scale_of, 128, 64, smooth, False, 0) for bits in (8, 4) for scale_of in ("tensor", "token", "block") for smooth in (True, False)]
    cases += [(8, 32, "block", 33, 7, True, True, 0), (8, 32, "token", 128, 64, True, True, 40), (4, 8, "block", 128, 64, True, False, 0),
              (8, 8, "token", 128, 64, True, False, 0), (8, 8, "tensor", 128, 64, False, True, 0), (32, 8, "block", 128, 64, True, True, 270)]
    for bits, value_bits, scale_of, query_block, key_block, smooth, causal, sliding in cases:
        s = scores(q, k, bits, scale_of, query_block, key_block, smooth)
        name = f"{bits}.{value_bits}.{scale_of}.{query_block}.{key_block}.{'smooth' if smooth else 'plain'}.{'causal' if causal else 'all'}.{sliding}"
        arrays[name] = mixed(s, v, visible(causal, sliding), value_bits)
    np.savez_compressed(pathlib.Path(__file__).parent / "quantised_attention_golden.npz", **{name: a.astype(np.float32) for name, a in arrays.items()})


if __name__ == "__main__":
    main()
