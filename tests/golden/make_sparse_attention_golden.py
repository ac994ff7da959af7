#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Native sparse attention and three selectors of blocks in double, query by query from their formulas: writes sparse_attention_golden.npz beside
itself. Run with Debian's python3-numpy. Nothing is shared with the C++ side but the formulas."""
import pathlib
import numpy as np

N, H, KV, D, WIDTH, HIDDEN = 150, 4, 2, 16, 24, 12
G = H // KV
SCALE = 0.25


def softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def phi(block, w):
    """block [l, D]"""
    y = block.mean(axis=0)
    if w is not None:
        hidden = np.maximum(w["w1"] @ (block.reshape(-1) + w["positions"]) + w["b1"], 0)
        y = y + w["w2"] @ hidden + w["b2"]
    return y


def at(p, c):
    return p[c] if 0 <= c < len(p) else 0.0


def importance(p, blocks, l, d, selected, overlap):
    a, b = selected // d, l // d
    s = np.zeros(blocks)
    for j in range(blocks):
        if overlap == "geometric":  # by counting tokens, not by an index
            mine = set(range(j * selected, (j + 1) * selected))
            s[j] = sum(p[c] * len(mine & set(range(c * d, c * d + l))) / d for c in range(len(p)))
        else:
            sign = 1 if overlap == "plus" else -1
            s[j] = sum(at(p, a * j + sign * (m + n)) for m in range(a) for n in range(b))
    return s


def top(scores, forced, n):
    ranked = sorted(range(len(scores)), key=lambda j: (j not in forced, -scores[j], j))
    return sorted(ranked[:n])


def local_blocks(own, count, blocks, causal):
    order = [own - i for i in range(own + 1)] if causal else sorted(range(blocks), key=lambda j: (abs(j - own), j > own))
    return order[:count]


def native_sparse(x, q, k, v, l, d, selected, n, initial, local, window, overlap, causal, gates=None, learned=None, weights=(None, None)):
    out = np.zeros((N, H * D))
    chosen = np.zeros((N, KV, -(-N // selected)))
    for g in range(KV):
        keys, values = k[:, g * D:(g + 1) * D], v[:, g * D:(g + 1) * D]
        for t in range(N):
            seen = t + 1 if causal else N
            starts = [c * d for c in range(N) if c * d + l <= seen]
            ck = np.array([phi(keys[s:s + l], weights[0]) for s in starts]).reshape(-1, D)
            cv = np.array([phi(values[s:s + l], weights[1]) for s in starts]).reshape(-1, D)
            queries = [q[t, h * D:(h + 1) * D] for h in range(g * G, (g + 1) * G)]
            p = [softmax(SCALE * ck @ query) if starts else np.zeros(0) for query in queries]
            blocks = -(-seen // selected)
            scores = importance(sum(p), blocks, l, d, selected, overlap)
            own = t // selected
            ids = top(scores, set(range(initial)) | set(local_blocks(own, local, blocks, causal)), n)
            chosen[t, g, ids] = 1
            tokens = [i for j in ids for i in range(j * selected, min((j + 1) * selected, seen))]
            if causal:
                near = range(max(0, seen - window), seen)
            else:
                first = min(max(t - window // 2, 0), max(0, N - window))
                near = range(first, min(N, first + window))
            for r, query in enumerate(queries):
                h = g * G + r
                if learned is not None:
                    z = learned["gate"] @ x[t] + learned["bias"]
                    gate = 1 / (1 + np.exp(-z.reshape(3, H)[:, h]))
                else:
                    gate = np.array(gates, dtype=float)
                    if not starts:
                        gate = np.array([0, gate[1], gate[2]]) * gate.sum() / (gate[1] + gate[2])
                o = gate[1] * softmax(SCALE * keys[tokens] @ query) @ values[tokens]
                o = o + gate[2] * softmax(SCALE * keys[list(near)] @ query) @ values[list(near)]
                if starts:
                    o = o + gate[0] * p[r] @ cv
                out[t, h * D:(h + 1) * D] = o
    return out, chosen


def attend(q, k, v, tokens_of):
    """tokens_of(t, h): what query t of head h reads."""
    out = np.zeros((N, H * D))
    for h in range(H):
        g = h // G
        keys, values = k[:, g * D:(g + 1) * D], v[:, g * D:(g + 1) * D]
        for t in range(N):
            ids = tokens_of(t, h)
            out[t, h * D:(h + 1) * D] = softmax(SCALE * keys[ids] @ q[t, h * D:(h + 1) * D]) @ values[ids]
    return out


def spread(ids, block, seen):
    return [i for j in ids for i in range(j * block, min((j + 1) * block, seen))]


def moba(q, k, v, block, n, causal):
    def tokens(t, h):
        g, seen = h // G, t + 1 if causal else N
        query, keys = q[t, h * D:(h + 1) * D], k[:, g * D:(g + 1) * D]
        scores = [query @ keys[j * block:min((j + 1) * block, seen)].mean(axis=0) for j in range(-(-seen // block))]
        return spread(top(scores, {t // block}, n), block, seen)
    return attend(q, k, v, tokens)


def quest(q, k, v, page, n, causal):
    def tokens(t, h):
        g, seen = h // G, t + 1 if causal else N
        query, keys = q[t, h * D:(h + 1) * D], k[:, g * D:(g + 1) * D]
        scores = []
        for j in range(-(-seen // page)):
            rows = keys[j * page:min((j + 1) * page, seen)]
            scores.append(np.maximum(query * rows.min(axis=0), query * rows.max(axis=0)).sum())
        return spread(top(scores, {t // page}, n), page, seen)
    return attend(q, k, v, tokens)


def indexer(q, k, v, query_side, key_side, n, causal):
    """query_side [KV, r, D], key_side [r, KV D]"""
    index_keys = k @ key_side.T

    def tokens(t, h):
        seen = t + 1 if causal else N
        score = sum(np.maximum(index_keys[:seen] @ (query_side[j // G] @ q[t, j * D:(j + 1) * D]), 0) for j in range(H))
        return top(score, {t}, n)
    return attend(q, k, v, tokens)


def main():
    rng = np.random.default_rng(31)
    f32 = lambda *shape, scale=1.0: (scale * rng.normal(size=shape)).astype(np.float32)
    x, q, k, v = f32(N, WIDTH), f32(N, H * D, scale=2), f32(N, KV * D), f32(N, KV * D)
    arrays = {"x": x, "q": q, "k": k, "v": v}
    l, d, selected = 8, 4, 16
    weights = []
    for side in ("key", "value"):
        w = {"positions": f32(l * D, scale=0.3), "w1": f32(HIDDEN, l * D, scale=0.1), "b1": f32(HIDDEN, scale=0.1), "w2": f32(D, HIDDEN, scale=0.3), "b2": f32(D, scale=0.1)}
        arrays |= {f"{side}.{name}": value.reshape(1, -1) if value.ndim == 1 else value for name, value in w.items()}
        weights.append({name: value.astype(float) for name, value in w.items()})
    learned = {"gate": f32(3 * H, WIDTH, scale=0.3), "bias": f32(3 * H)}
    arrays |= {"gate": learned["gate"], "gate.bias": learned["bias"].reshape(1, -1)}
    learned = {name: value.astype(float) for name, value in learned.items()}
    x64, q64, k64, v64 = (a.astype(float) for a in (x, q, k, v))

    def add(name, result):
        arrays[name] = result[0]
        arrays[name + ".chosen"] = result[1].reshape(N, -1)
    common = dict(l=l, d=d, selected=selected, n=5, initial=1, local=2, window=20)
    for overlap in ("geometric", "minus", "plus"):
        add(f"mean.{overlap}", native_sparse(x64, q64, k64, v64, **common, overlap=overlap, causal=True, gates=(0.2, 0.5, 0.3)))
    add("mlp", native_sparse(x64, q64, k64, v64, **common, overlap="geometric", causal=True, learned=learned, weights=weights))
    add("all", native_sparse(x64, q64, k64, v64, **common, overlap="geometric", causal=False, gates=(0.2, 0.5, 0.3)))
    add("equal", native_sparse(x64, q64, k64, v64, l=16, d=16, selected=16, n=4, initial=0, local=1, window=7, overlap="minus", causal=True, gates=(0.3, 0.4, 0.3)))
    for causal in (True, False):
        kind = "causal" if causal else "all"
        arrays[f"moba.{kind}"] = moba(q64, k64, v64, 16, 3, causal)
        arrays[f"quest.{kind}"] = quest(q64, k64, v64, 8, 5, causal)
    arrays["index.query"], arrays["index.key"] = f32(KV * 6, D, scale=0.3), f32(6, KV * D, scale=0.3)
    arrays["indexer"] = indexer(q64, k64, v64, arrays["index.query"].astype(float).reshape(KV, 6, D), arrays["index.key"].astype(float), 20, True)
    np.savez_compressed(pathlib.Path(__file__).parent / "sparse_attention_golden.npz", **{name: np.asarray(value, dtype=np.float32) for name, value in arrays.items()})


if __name__ == "__main__":
    main()
