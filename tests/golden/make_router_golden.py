#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""References for the routed encoders: router_golden.npz and router/{mixture,relu,hierarchical}.safetensors, by NumPy and PyTorch in
double. Run with Debian's python3 (python3-numpy, python3-torch).

Files are written here as docs/formats-trained-encoder.md says, fingerprint and all, around a random dictionary; <case>.chosen are the
experts (leaves) of each token best first, padded with -1, <case>.shares their probabilities, <case>.latents and <case>.values the k
largest positive scores among their latents, padded with -1 and 0. Whatever is compared there is no closer to a tie than GAP.

train.<case>: STEPS steps of AdamW (no decay, no clipping) at RATE on one batch, loss before each step, parameters after the last;
relu cases have the coefficient before each step and after the last: times 1.2 where the mean number of open gates is above e,
over 1.2 below it. Router inputs are (x - mean) / deviation of the batch.

usage: /usr/bin/python3 tests/golden/make_router_golden.py     (from the root of the source tree)
"""
import hashlib
import json
import pathlib
import struct

import numpy as np
import torch
from torch.nn import functional as F

FOLDER = pathlib.Path(__file__).resolve().parent
M, D, K, TOKENS, EXPERTS, ACTIVE = 60, 10, 6, 40, 12, 4
LEVELS, BRANCHING, BEAM = 2, 3, 4
GAP, STEPS, RATE = 1e-4, 6, 0.02
draw = np.random.default_rng(20)
torch.set_default_dtype(torch.float64)
out = {}


def f32(array):
    return np.asarray(array, np.float32)


w, bias, x = f32(draw.normal(size=(M, D))), f32(draw.normal(size=M) - 0.5), f32(draw.normal(size=(TOKENS, D)))
out.update(encoder=w, bias=bias, x=x)


def fingerprint():
    lines = [hashlib.sha256(w[i:i + 1024].astype("<f4").tobytes()).hexdigest() for i in range(0, M, 1024)]
    lines += [hashlib.sha256(bias.astype("<f4").tobytes()).hexdigest(), f"{M} {D} {K}"]
    return hashlib.sha256("".join(line + "\n" for line in lines).encode()).hexdigest()


def write(name, method, parameters, tensors):
    header = {"__metadata__": {"format": "tamis.trained-encoder/1", "method": method, "parameters": json.dumps(parameters), "width": str(D), "latents": str(M), "k": str(K),
                               "dictionary": fingerprint()}}
    at = 0
    for key, array in tensors.items():
        header[key] = {"dtype": {"float32": "F32", "int32": "I32"}[array.dtype.name], "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (FOLDER / "router").mkdir(exist_ok=True)
    (FOLDER / "router" / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(a.tobytes() for a in tensors.values()))


def ordered(scores, count):
    """Places of the `count` largest; nothing that decides about them is closer than GAP."""
    order = np.argsort(-scores, kind="stable")
    deciding = scores[order[:count + 1]]
    assert np.all(-np.diff(deciding[np.isfinite(deciding)]) > GAP)
    return order[:count]


def codes(case, group_of, chosen, shares):
    z = x.astype(np.float64) @ w.T.astype(np.float64) + bias
    latents, values = np.full((TOKENS, K), -1, np.int32), np.zeros((TOKENS, K))
    for t in range(TOKENS):
        allowed = np.isin(group_of, chosen[t])
        best = ordered(np.where(allowed & (z[t] > 0), z[t], -np.inf), K)
        best = best[np.isfinite(z[t][best]) & allowed[best] & (z[t][best] > 0)]
        latents[t, :len(best)], values[t, :len(best)] = best, z[t][best]
    width = max(len(c) for c in chosen)
    out[case + ".chosen"] = np.array([list(c) + [-1] * (width - len(c)) for c in chosen], np.int32)
    out[case + ".shares"], out[case + ".latents"], out[case + ".values"] = shares, latents, values


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


training = {"steps": 2000, "batch": 256, "learning-rate": 3e-3, "warm-up": 0.05, "check-every": 50, "patience": 10, "seed": 0}
experts = draw.permutation(np.arange(M) % EXPERTS).astype(np.int32)
router = {"router.weight": f32(draw.normal(size=(EXPERTS, D)) / 3), "router.bias": f32(draw.normal(size=EXPERTS) / 3 - 0.8)}
logits = x.astype(np.float64) @ router["router.weight"].T.astype(np.float64) + router["router.bias"]
for case, routing in (("mixture", "top-e"), ("relu", "relu")):
    if routing == "relu":
        assert np.abs(logits).min() > GAP
        gates = np.maximum(logits, 0)
        chosen = [ordered(np.where(g > 0, g, -np.inf), int((g > 0).sum())) for g in gates]
        shares = gates / np.maximum(gates.sum(1, keepdims=True), 1e-300)
        assert min(map(len, chosen)) == 0  # a token without an expert
    else:
        chosen, shares = [ordered(z, ACTIVE) for z in logits], softmax(logits)
    load = f32([sum(e in c for c in chosen) / TOKENS for e in range(EXPERTS)])
    write(case, "encoder.mixture", {"active": ACTIVE, "experts": EXPERTS, "routing": routing, "partition": "co-firing", "router": "trained", "balance": 0.0, **training},
          {**router, "experts": experts, "load": load})
    codes(case, experts, chosen, shares)

nodes, leaves = sum(BRANCHING ** level for level in range(1, LEVELS + 1)), BRANCHING ** LEVELS
leaf_of = draw.permutation(np.arange(M) % leaves).astype(np.int32)
tree = {"router.weight": f32(draw.normal(size=(nodes, D)) / 2), "router.bias": f32(draw.normal(size=nodes) / 2)}
tree_logits = x.astype(np.float64) @ tree["router.weight"].T.astype(np.float64) + tree["router.bias"]
chosen, shares = [], np.zeros((TOKENS, leaves))
for t in range(TOKENS):
    kept, offset, whole = {0: 0.0}, 0, {0: 0.0}
    for level in range(1, LEVELS + 1):
        def grown(parents):
            return {p * BRANCHING + c: s + np.log(softmax(tree_logits[t, offset + p * BRANCHING:offset + (p + 1) * BRANCHING])[c]) for p, s in parents.items() for c in range(BRANCHING)}
        whole, children = grown(whole), grown(kept)
        scores = np.full(BRANCHING ** level, -np.inf)
        scores[list(children)] = list(children.values())
        order = ordered(scores, min(BEAM, len(children)))
        kept, offset = {int(i): scores[i] for i in order}, offset + BRANCHING ** level
    chosen.append(list(kept))
    shares[t, list(whole)] = np.exp(list(whole.values()))
write("hierarchical", "encoder.hierarchical", {"beam": BEAM, "levels": LEVELS, "branching": BRANCHING, "partition": "co-firing", "router": "trained", **training}, {**tree, "leaves": leaf_of})
codes("hierarchical", leaf_of, chosen, shares)

# Training. The batch's exact codes are those of all latents.
z = np.maximum(x.astype(np.float64) @ w.T.astype(np.float64) + bias, 0)
exact = np.where(z >= np.sort(z, 1)[:, -K][:, None], z, 0)
scaled = torch.from_numpy((x - x.astype(np.float64).mean(0)) / x.astype(np.float64).std(0))


def mass(group_of, groups):
    sums = np.stack([exact[:, group_of == g].sum(1) for g in range(groups)], 1)
    return torch.from_numpy(sums / np.maximum(exact.sum(1, keepdims=True), 1e-300))


def top_loss(y, s, balance):
    loss = -(s * F.log_softmax(y, 1)).sum(1).mean()
    share = torch.zeros_like(y).scatter_(1, y.detach().topk(ACTIVE, 1).indices, 1.0).mean(0) / ACTIVE
    return loss + balance * EXPERTS * (share * F.softmax(y, 1).mean(0)).sum()


def relu_loss(y, s, balance, coefficient):
    g = F.relu(y)
    load = EXPERTS / ACTIVE * (g.detach() > 0).double().mean(0)
    return ((g - EXPERTS * s) ** 2).mean() + coefficient * ((1 + balance * (load - 1)) * g).sum(1).mean()


def tree_loss(y, s):
    loss, offset = 0, 0
    for level in range(1, LEVELS + 1):
        count = BRANCHING ** level
        share = s.reshape(TOKENS, count, -1).sum(2).reshape(TOKENS, -1, BRANCHING)
        loss = loss - (share * F.log_softmax(y[:, offset:offset + count].reshape(TOKENS, -1, BRANCHING), 2)).sum((1, 2)).mean()
        offset += count
    return loss


for case, balance, start in (("top", 0.0, 0.0), ("top-balanced", 0.5, 0.0), ("relu", 0.0, 0.02), ("relu-balanced", 1.0, 0.02), ("relu-few", 0.0, 0.05), ("tree", 0.0, 0.0)):
    outputs = nodes if case == "tree" else EXPERTS
    group_of, groups = (leaf_of, leaves) if case == "tree" else (experts, EXPERTS)
    i, j = np.meshgrid(np.arange(outputs), np.arange(D), indexing="ij")
    weight = torch.tensor(f32(0.3 * np.sin(1.7 * (i * D + j)))).double().requires_grad_()
    shift = torch.tensor(f32(0.2 * np.cos(1.3 * np.arange(outputs)) + {"relu": 0.3, "relu-balanced": 0.3, "relu-few": -0.8}.get(case, 0))).double().requires_grad_()
    optimiser = torch.optim.AdamW([weight, shift], lr=RATE, weight_decay=0.0)
    losses, coefficients, coefficient = [], [start], start
    out[f"train.{case}.start.weight"], out[f"train.{case}.start.bias"] = weight.detach().numpy().copy(), shift.detach().numpy().copy()
    for step in range(STEPS):
        y, s = F.linear(scaled, weight, shift), mass(group_of, groups)
        if case.startswith("top"):
            loss = top_loss(y, s, balance)
        elif case == "tree":
            loss = tree_loss(y, s)
        else:
            loss = relu_loss(y, s, balance, coefficient)
            assert y.detach().abs().min() > 1e-5  # no gate near its edge
            mean = (y.detach() > 0).double().sum(1).mean().item()
            coefficient *= 1.2 if mean > ACTIVE else 1 / 1.2 if mean < ACTIVE else 1
            coefficients.append(coefficient)
        optimiser.zero_grad()
        loss.backward()
        assert weight.grad[weight.grad != 0].abs().min() > 1e-6  # AdamW's first steps are all of one size: none has its sign by chance
        losses.append(loss.item())
        optimiser.step()
    print(case, losses, coefficients if "relu" in case else "")
    out[f"train.{case}.loss"], out[f"train.{case}.weight"], out[f"train.{case}.bias"] = np.array(losses), weight.detach().numpy(), shift.detach().numpy()
    out[f"train.{case}.coefficient"] = np.array(coefficients)
out["experts"], out["leaves"] = experts, leaf_of
np.savez_compressed(FOLDER / "router_golden.npz", **out)
