#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reuse between frames gives: run /usr/bin/python3 tests/golden/make_reuse_golden.py
(Debian's python3-torch, python3-numpy and python3-opencv). Written from the papers' formulas, dense and in float64 from float32 weights:

  gate      changed patches through all blocks over kept keys and values of the others
  eventful  Dutson, Li, Gupta 2023 (arXiv 2308.13494): token gates before q, k, v, before the output projection and before the MLP; buffers
            behind them; softmax columns and values kept as they were when their token passed last
  flow      OpenCV's pyramidal Lucas-Kanade (calcOpticalFlowPyrLK) between frames of datasets/motion in grey
  homography, affine  OpenCV's findHomography and estimateAffine2D, both with RANSAC, on matches of which a third are wrong

reuse_golden.npz  frames [n, 3, 16, 16] for tests/golden/models/timm_vit, frames.stills likewise, some of them several times; <case>.logits [n, classes]; <case>.computed [n, patches] (1: passed the
                  first gate); flow.before, flow.after [h, w] u8, flow.points [n, 2] (x, y), flow.moved [n, 2];
                  match.from, match.to [n, 2] (x, y), match.homography [3, 3], match.affine [2, 3]
A case whose choice hangs on a relative difference below 1e-4 of two errors is refused: errors in float are off by less than 1e-5.
"""
import json
import os
import pathlib
import sys

sys.dont_write_bytecode = True
os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

from models_common import Net, read_safetensors  # noqa: E402
import models_timm_vit  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE / "models" / "timm_vit"
MARGIN = 1e-4
HEADS, WIDTH, EPS, DEPTH, PREFIX = 3, 24, 1e-6, 2, 1


def frames():
    """A still, patches that change a little, patches that change much, all of them."""
    r = np.random.RandomState(11)
    first = r.standard_normal((3, 16, 16)).astype(np.float32)
    found = [first, first.copy()]
    for places, size in (((0, 5), 0.6), ((5, 6, 7), 1.0), ((15,), 0.4), (range(16), 0.3), ((3, 9), 1.5)):
        image = found[-1].copy()
        for place in places:
            y, x = 4 * (place // 4), 4 * (place % 4)
            image[:, y:y + 4, x:x + 4] += (size * (0.5 + 0.5 * r.rand()) * r.standard_normal((3, 4, 4))).astype(np.float32)
        found.append(image)
    return np.stack(found)


def errors(current, reference):
    e = (current - reference).norm(dim=1)
    return e / ((reference ** 2).sum(1).mean() ** 0.5)


def choose(error, policy, value):
    """Patches that pass, of errors without the prefix."""
    if policy == "threshold":
        assert ((error - value).abs() > MARGIN * value).all(), "an error at the threshold"
        return [i for i in range(len(error)) if error[i] > value]
    if not (error > 0).any():
        return []
    order = sorted(range(len(error)), key=lambda i: (-error[i], i))
    if 0 < value < len(order) and error[order[value - 1]] > 0:
        gap = error[order[value - 1]] - error[order[value]]
        assert gap > MARGIN * error[order[value]], "two errors alike"
    return sorted(order[:value])


class Vit:
    def __init__(self):
        tensors = {n: torch.from_numpy(np.array(a)).double() for n, a in read_safetensors(MODEL / "model.safetensors").items()}
        self.t = tensors
        self.net = Net(tensors=tensors)
        self.config = json.loads((MODEL / "config.json").read_text())

    def embed(self, image):
        self.net.record = {}
        return models_timm_vit.embed(self.net, self.config, torch.from_numpy(image).double()[None])[0][0]

    def norm(self, name, x):
        return F.layer_norm(x, (WIDTH,), self.t[name + ".weight"], self.t[name + ".bias"], EPS)

    def linear(self, name, x):
        return x @ self.t[name + ".weight"].T + self.t[name + ".bias"]

    def qkv(self, i, x):
        return self.linear(f"blocks.{i}.attn.qkv", self.norm(f"blocks.{i}.norm1", x))

    def out(self, i, x):
        return self.linear(f"blocks.{i}.attn.proj", x) * self.t[f"blocks.{i}.ls1.gamma"]

    def mlp(self, i, x):
        y = F.gelu(self.linear(f"blocks.{i}.mlp.fc1", self.norm(f"blocks.{i}.norm2", x)))
        return self.linear(f"blocks.{i}.mlp.fc2", y) * self.t[f"blocks.{i}.ls2.gamma"]

    def head(self, x):
        return self.linear("head", self.norm("norm", x)[0])

    @staticmethod
    def probabilities(qkv):
        q, k = qkv[:, :WIDTH], qkv[:, WIDTH:2 * WIDTH]
        d = WIDTH // HEADS
        return [torch.softmax(q[:, h * d:(h + 1) * d] @ k[:, h * d:(h + 1) * d].T * d ** -0.5, -1) for h in range(HEADS)]

    @staticmethod
    def mix(p, qkv):
        v, d = qkv[:, 2 * WIDTH:], WIDTH // HEADS
        return torch.cat([p[h] @ v[:, h * d:(h + 1) * d] for h in range(HEADS)], 1)


def run_gate(vit, images, policy, value):
    logits, computed = [], []
    state, reference = None, None
    for image in images:
        x = vit.embed(image)
        n = x.shape[0]
        if state is None:
            rows, reference = list(range(n)), x.clone()
            state = {"qkv": [torch.zeros(n, 3 * WIDTH, dtype=torch.double) for _ in range(DEPTH)], "hidden": torch.zeros_like(x)}
        else:
            chosen = choose(errors(x[PREFIX:], reference[PREFIX:]), policy, value)
            rows = [0] + [PREFIX + i for i in chosen] if chosen else []
        computed.append([int(PREFIX + i in rows) for i in range(n - PREFIX)])
        if rows:
            reference[rows] = x[rows]
            y = x[rows]
            for i in range(DEPTH):
                state["qkv"][i][rows] = vit.qkv(i, y)
                mixed = vit.mix(vit.probabilities(state["qkv"][i]), state["qkv"][i])[rows]
                y = y + vit.out(i, mixed)
                y = y + vit.mlp(i, y)
            state["hidden"][rows] = y
        logits.append(vit.head(state["hidden"]))
    return logits, computed


class Gate:
    def __init__(self, policy, value):
        self.policy, self.value, self.reference = policy, value, None

    def rows(self, x):
        if self.reference is None:
            self.reference = x.clone()
            return list(range(x.shape[0]))
        error = errors(x, self.reference)
        chosen = choose(error[PREFIX:], self.policy, self.value)
        prefix = [e for e in error[:PREFIX] if (e > self.value if self.policy == "threshold" else e > 0)]
        if not chosen and not prefix:
            return []
        rows = list(range(PREFIX)) + [PREFIX + i for i in chosen]
        self.reference[rows] = x[rows]
        return rows


def run_eventful(vit, images, policy, value):
    logits, computed = [], []
    gates = [[Gate(policy, value) for _ in range(3)] for _ in range(DEPTH)]
    blocks = [{} for _ in range(DEPTH)]
    for image in images:
        x = vit.embed(image)
        n = x.shape[0]
        for i in range(DEPTH):
            b = blocks[i]
            rows = gates[i][0].rows(x)
            if i == 0:
                computed.append([int(PREFIX + j in rows) for j in range(n - PREFIX)])
            if not b:
                b["qkv"] = torch.zeros(n, 3 * WIDTH, dtype=torch.double)
                b["p"] = [torch.zeros(n, n, dtype=torch.double) for _ in range(HEADS)]
                b["out"], b["mlp"] = torch.zeros_like(x), torch.zeros_like(x)
            if rows:
                b["qkv"][rows] = vit.qkv(i, x)[rows]
                fresh = vit.probabilities(b["qkv"])
                for h in range(HEADS):
                    b["p"][h][:, rows] = fresh[h][:, rows]
            mixed = vit.mix(b["p"], b["qkv"])
            rows = gates[i][1].rows(mixed)
            b["out"][rows] = vit.out(i, mixed)[rows]
            x = x + b["out"]
            rows = gates[i][2].rows(x)
            b["mlp"][rows] = vit.mlp(i, x)[rows]
            x = x + b["mlp"]
        logits.append(vit.head(x))
    return logits, computed


def flow():
    motion = HERE.parent.parent / "datasets" / "motion"
    before, after = (cv2.imread(str(motion / f"frame{n}.jpg"), cv2.IMREAD_GRAYSCALE)[64:160, 64:192] for n in ("03", "04"))
    y, x = np.mgrid[16:80:8, 16:112:8]
    points = np.stack([x.ravel(), y.ravel()], 1).astype(np.float32)
    moved, status, _ = cv2.calcOpticalFlowPyrLK(before, after, points.reshape(-1, 1, 2), None, winSize=(21, 21), maxLevel=2,
                                                criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 0.001))
    assert status.all()
    return {"flow.before": before, "flow.after": after, "flow.points": points, "flow.moved": moved.reshape(-1, 2)}


def matches():
    """Matches of a homography and of an affine map, off by a tenth of a pixel at most, a third of them anywhere."""
    r = np.random.RandomState(5)
    source = r.uniform(0, 64, (96, 2))
    h = np.array([[1.04, 0.03, -1.5], [-0.02, 0.97, 2.0], [4e-4, -3e-4, 1]])
    there = np.c_[source, np.ones(96)] @ h.T
    there = there[:, :2] / there[:, 2:] + r.uniform(-0.1, 0.1, (96, 2))
    there[::3] = r.uniform(0, 64, (32, 2))
    found, mask = cv2.findHomography(source, there, cv2.RANSAC, 0.5, maxIters=5000, confidence=0.9999)
    a = np.array([[1.02, -0.05, 1.2], [0.04, 0.98, -2.4]])
    to = np.c_[source, np.ones(96)] @ a.T + r.uniform(-0.1, 0.1, (96, 2))
    to[::3] = r.uniform(0, 64, (32, 2))
    affine, inside = cv2.estimateAffine2D(source, to, method=cv2.RANSAC, ransacReprojThreshold=0.5, maxIters=5000, confidence=0.9999)
    assert mask.sum() >= 60 and inside.sum() >= 60
    return {"match.from": source, "match.to": there, "match.homography": found, "match.affineTo": to, "match.affine": affine}


def main():
    vit, images = Vit(), frames()
    arrays = {"frames": images}
    whole = [run_gate(vit, [image], "top-r", 16)[0][0] for image in images]
    for name, run, policy, value in (("gate.top-r", run_gate, "top-r", 3), ("gate.threshold", run_gate, "threshold", 0.2), ("eventful.top-r", run_eventful, "top-r", 3),
                                     ("eventful.all", run_eventful, "top-r", 16), ("eventful.threshold", run_eventful, "threshold", 0.097)):
        logits, computed = run(vit, images, policy, value)
        arrays[name + ".logits"], arrays[name + ".computed"] = torch.stack(logits).numpy(), np.array(computed, np.int32)
        print(name, "tokens computed", np.array(computed).sum(1), "worst difference from the model", float(max((a - b).abs().max() for a, b in zip(logits, whole))))
    stills = images[[0, 1, 2, 2, 2, 3, 3, 3, 4, 4]]  # while tokens still wait
    arrays["frames.stills"] = stills
    for name, policy, value in (("eventful.stills.top-r", "top-r", 3), ("eventful.stills.threshold", "threshold", 0.097)):
        logits, computed = run_eventful(vit, stills, policy, value)
        arrays[name + ".logits"], arrays[name + ".computed"] = torch.stack(logits).numpy(), np.array(computed, np.int32)
        print(name, "tokens computed", np.array(computed).sum(1))
    arrays["whole.logits"] = torch.stack(whole).numpy()
    arrays.update(flow())
    arrays.update(matches())
    np.savez_compressed(HERE / "reuse_golden.npz", **arrays)


if __name__ == "__main__":
    main()
