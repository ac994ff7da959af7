#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pruning by page rank, by the image's complexity and around protected patches leaves of real images: run
/usr/bin/python3 tests/golden/make_pruning_golden.py (Debian's python3-torch, python3-numpy, python3-scipy), in float64 from float32 weights.

  Zero-TPrune  Wang, Dedhia, Jha 2024 (arXiv 2305.17328): votes s <- A^T s on each head's attention, root mean square over the heads whose
               variance is within [0.01, 0.7]; of the less important half the patches most alike to one of the other half go, then by importance
  adaptive     entropy of the grey histogram, Sobel's operator by scipy.ndimage, a linear keep between two
  protected    the outer ring of the grid, the patches of the strongest edges

pruning_golden.npz   as token_reduction/golden.npz; and complexity.<model> [n, 3] (entropy / 8 bits, mean edge strength, share of edges),
                     edges.<model> [n, height, width], patch_edges.<model> [n, patches]
"""
import json
import math

import numpy as np
import torch
from scipy import ndimage

import make_token_reduction_golden as base
from make_token_reduction_golden import HERE, Net, order, prune, read_safetensors, run

models_timm_vit = base.models_timm_vit


def grey_of(image):
    return image.mean(0)


def edges(grey):
    return np.hypot(ndimage.sobel(grey, 0, mode="nearest"), ndimage.sobel(grey, 1, mode="nearest")) / 8


def complexity(image):
    grey = grey_of(image)
    places = (grey.ravel() + 3) / 6 * 256
    counts, _ = np.histogram(grey, bins=256, range=(-3, 3))
    assert counts.sum() == grey.size
    assert np.abs(places - places.round()).min() > 2e-5, "a grey at the edge of its bin"
    p = counts[counts > 0] / grey.size
    strength = edges(grey)
    assert np.abs(strength - 0.25).min() > 1e-6, "an edge at the limit"
    return [-(p * np.log2(p)).sum() / 8, strength.mean(), (strength > 0.25).mean()]


def patch_edges(image, side):
    strength = edges(grey_of(image))
    rows, cols = strength.shape[0] // side, strength.shape[1] // side
    return strength.reshape(rows, side, cols, side).mean((1, 3)).ravel()


def rank(attention, tokens, votes, first, class_start):
    """[tokens] of the graph among `tokens`; attention [heads, n, n]."""
    graph = attention[:, tokens][:, :, tokens]
    graph = graph / graph.sum(-1, keepdim=True)
    n = len(tokens)
    signal = torch.ones(n, dtype=graph.dtype)
    if class_start:
        signal[0] = math.sqrt(n)
    signal = (signal / signal.sum()).repeat(graph.shape[0], 1)
    for _ in range(votes):
        signal = torch.einsum("hij,hi->hj", graph, signal)
    assert (signal.sum(1) - 1).abs().max() < 1e-12
    patches = signal[:, first:]
    variance = (patches / patches.mean(1, keepdim=True)).var(1, unbiased=False)
    assert all((variance - edge).abs().min() > 1e-5 for edge in (0.01, 0.7)), "a head at the edge"
    heard = (variance >= 0.01) & (variance <= 0.7)
    if not heard.any():
        heard = torch.ones_like(heard)
    return signal[heard].square().mean(0).sqrt()


def zero_tprune(state, place, keep, similar, votes, class_start=False, alternate=False, keys=True):
    front, tokens = state.prefix, list(range(state.x.shape[0]))
    patches = len(tokens) - front
    count = math.ceil(keep * patches)
    alike = int(similar * (patches - count))
    if alike > 0:
        importance = rank(place["attention"], tokens, 1, front, class_start)
        importance = importance[front:].tolist()
        found = [front + i for i in order(importance, (patches + 1) // 2)]
        if alternate:
            for one, other in zip(found, found[1:]):
                assert importance[one - front] - importance[other - front] > 1e-9 * importance[one - front]
        upper = found[0::2] if alternate else found[:(patches + 1) // 2]
        lower = [i for i in found if i not in upper]
        rows = place["k"].transpose(0, 1).flatten(1) if keys else state.x
        rows = rows / rows.norm(dim=1, keepdim=True)
        best = (rows[lower] @ rows[upper].T).max(1).values.tolist()
        gone = {lower[i] for i in order(best, alike)[:alike]}
        tokens = [i for i in tokens if i not in gone]
    importance = rank(place["attention"], tokens, votes, front, class_start)
    best = order(importance[front:].tolist(), count)[:count]
    prune(state, list(range(front)) + [tokens[front + i] for i in best])


def evit_protected(state, place, keep, fuse, guarded):
    """guarded: source patches."""
    attention = place["attention"].mean(0)[0]
    front = state.prefix
    count = math.ceil(keep * (state.x.shape[0] - front))
    rows = [int(state.holds[:, front + patch].argmax()) for patch in guarded if state.holds[:, front + patch].any()]
    others = [i for i in range(front, state.x.shape[0]) if i not in rows]
    taken = max(0, count - len(set(rows)))
    best = [others[i] for i in order(attention[others].tolist(), taken)[:taken]]
    prune(state, list(range(front)) + sorted(set(rows)) + best, attention if fuse else None)


def border(side):
    return [r * side + c for r in range(side) for c in range(side) if r in (0, side - 1) or c in (0, side - 1)]


def strongest(image, share):
    values = patch_edges(image, 4)
    count = math.ceil(share * len(values))
    return order(values.tolist(), count)[:count]


def cases(image):
    """vit20 alone; blocks 1, 3, 4; each: {block: step}."""
    thirds = [1, 3, 4]

    def ranked(keeps, similar, votes, **options):
        return {b: (lambda s, p, k=k, v=v: zero_tprune(s, p, k, similar, v, **options)) for b, k, v in zip(thirds, keeps, votes)}

    def adaptive(measure, low, high, least=0.5, most=0.9):
        keep = least + (most - least) * min(1, max(0, (complexity(image)[measure] - low) / (high - low)))
        return {b: (lambda s, p: base.top_rho(s, p, "class-attention", keep)) for b in thirds}

    both = sorted(set(border(16)) | set(strongest(image, 0.1)))
    return {
        "zero_default": ranked([0.7] * 3, 0.3, [10] * 3),
        "zero_class_alternate": ranked([0.8, 0.6], 0.5, [20, 20], class_start=True, alternate=True),
        "zero_features": ranked([0.5] * 3, 1.0, [3] * 3, keys=False),
        "zero_importance": ranked([0.6] * 3, 0.0, [30] * 3),
        "adaptive_entropy": adaptive(0, 0.77, 0.91),
        "adaptive_edges": adaptive(1, 0.05, 0.5),
        "adaptive_share": adaptive(2, 0.02, 0.9),
        "evit_border": {b: (lambda s, p: evit_protected(s, p, 0.6, True, border(16))) for b in thirds},
        "evit_gradient": {b: (lambda s, p: evit_protected(s, p, 0.4, False, strongest(image, 0.2))) for b in thirds},
        "evit_both": {b: (lambda s, p: evit_protected(s, p, 0.3, True, both)) for b in thirds},
    }


def main():
    torch.set_num_threads(1)
    vit20 = HERE.parent.parent / "datasets" / "vit20"
    images = np.load(vit20 / "golden.npz")["input"].astype(np.float64)
    config = json.loads((vit20 / "config.json").read_text())
    tensors = {k: torch.from_numpy(v.astype(np.float64)) for k, v in read_safetensors(vit20 / "model.safetensors").items()}
    net = Net(None, tensors)
    arrays = {"vit20.input": images.astype(np.float32),
              "complexity.vit20": np.array([complexity(i) for i in images]),
              "edges.vit20": np.stack([edges(grey_of(i)) for i in images]).astype(np.float32),
              "patch_edges.vit20": np.stack([patch_edges(i, 4) for i in images])}
    print(arrays["complexity.vit20"])
    for name in cases(images[0]):
        results = [run(net, config, torch.from_numpy(image), cases(image)[name], False) for image in images]
        arrays[f"vit20.{name}.logits"] = np.stack([r[0] for r in results]).astype(np.float32)
        arrays[f"vit20.{name}.row"] = np.stack([r[1] for r in results])
        arrays[f"vit20.{name}.sizes"] = np.stack([r[2] for r in results])
        print(name, [[int((s > 0).sum()) for s in sizes] for sizes in arrays[f"vit20.{name}.sizes"]])
    np.savez_compressed(HERE / "pruning_golden.npz", **arrays)
    print((HERE / "pruning_golden.npz").stat().st_size, "bytes")


if __name__ == "__main__":
    main()
