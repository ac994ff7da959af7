#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamicViT's predictors (Rao et al. 2021, arXiv 2106.02034), trained two steps and run, by PyTorch's autograd in float64 from float32 weights:
run /usr/bin/python3 tests/golden/make_learned_golden.py (Debian's python3-torch and python3-numpy).

The model is token_reduction/deit, which stays as it is; predictors before its blocks 1, 2 and 3; the photos those of token_reduction/golden.npz.
Predictor: layer norm (epsilon 1e-5), linear, gelu; the first half of the features as it is, the second its mean over the patches that are kept;
d -> d/2 -> d/4 -> 2 with gelu between, log softmax. Training: Gumbel softmax, hard, straight through, times the decision before; attention with
exp(s - max) weighted by the policy (a token's own weight is 1), epsilon 1e-6; loss: cross entropy + 2 mean over stages and photos of
(kept share - keep^k)^2 + 0.5 KL against the whole model + 0.5 mean squared difference of the patches kept at the end, behind the last norm.

learned_golden.npz: start.<tensor>, end.<tensor> (after two steps of AdamW, rate 1e-3, decay 0.05 of matrices), noise.<step>.<stage> [n patches, 2],
loss [2], logits [n, classes] of the first step, labels [n] (-1: none), kept.<stage> [n, count] ascending, scores.<stage> [n, patches there],
pruned [n, classes]: the model run with the start's predictors on the patches that are left.
"""
import json
import os
import pathlib
import sys

sys.dont_write_bytecode = True
os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

from models_common import Net, read_safetensors, split_heads  # noqa: E402
import models_timm_vit  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE / "token_reduction" / "deit"
BLOCKS, KEEP, PREFIX, EPS = [1, 2, 3], 0.7, 2, 1e-6
MARGIN = 1e-5

config = json.loads((MODEL / "config.json").read_text())
net = Net(tensors={k: torch.from_numpy(v.copy()).double() for k, v in read_safetensors(MODEL / "model.safetensors").items()})
images = torch.from_numpy(np.load(HERE / "token_reduction" / "golden.npz")["deit.input"].copy()).double()
n, depth, heads, d = images.shape[0], config["depth"], config["num_heads"], config["embed_dim"]
patches = 36
labels = [3] + [-1] * (n - 1)


def attend(q, k, v, policy):
    scores = q @ k.transpose(-1, -2) * (d // heads) ** -0.5
    if policy is None:
        weights = torch.softmax(scores, -1)
    else:
        tokens = scores.shape[-1]
        seen = policy.reshape(n, 1, 1, tokens)
        eye = torch.eye(tokens, dtype=scores.dtype)
        seen = seen + (1 - seen) * eye
        weights = torch.exp(scores - scores.max(-1, keepdim=True)[0]) * seen
        weights = (weights + EPS / tokens) / (weights.sum(-1, keepdim=True) + EPS)
    return (weights @ v).transpose(1, 2).flatten(2)


def block(i, x, policy):
    name = f"blocks.{i}."
    y = net.layer_norm(name + "norm1", x, 1e-6)
    q, k, v = (split_heads(part, heads) for part in net.linear(name + "attn.qkv", y, 3 * d).chunk(3, -1))
    x = x + net.linear(name + "attn.proj", attend(q, k, v, policy), d)
    y = F.gelu(net.linear(name + "mlp.fc1", net.layer_norm(name + "norm2", x, 1e-6), 4 * d))
    return x + net.linear(name + "mlp.fc2", y, d)


def tail(x):
    x = net.layer_norm("norm", x, 1e-6)
    classes = config["num_classes"]
    return (net.linear("head", x[:, 0], classes) + net.linear("head_dist", x[:, 1], classes)) / 2, x[:, PREFIX:]


def predict(p, stage, x, policy):
    """Log probabilities [n, patches, 2]."""
    get = lambda name: p[f"{stage}.{name}"]  # noqa: E731
    y = F.gelu(F.layer_norm(x, (d,), get("norm.weight"), get("norm.bias"), 1e-5) @ get("mix.weight").T + get("mix.bias"))
    mean = (y[..., d // 2:] * policy).sum(1, keepdim=True) / policy.sum(1, keepdim=True)
    y = torch.cat([y[..., : d // 2], mean.expand(-1, y.shape[1], -1)], -1)
    for name in ["half", "quarter"]:
        y = F.gelu(y @ get(name + ".weight").T + get(name + ".bias"))
    return F.log_softmax(y @ get("keep.weight").T + get("keep.bias"), -1)


def forward(choose):
    """choose(stage, x) -> policy of all tokens, or None."""
    net.record.clear()
    x, prefix = models_timm_vit.embed(net, config, images)
    assert prefix == PREFIX
    policy = None
    for i in range(depth):
        if choose and i in BLOCKS:
            policy = choose(BLOCKS.index(i), x)
        x = block(i, x, policy)
    return tail(x)


def loss_of(p, noise, teacher, wanted):
    decisions = [torch.ones(n, patches, 1, dtype=torch.float64)]

    def choose(stage, x):
        soft = torch.softmax(predict(p, stage, x[:, PREFIX:], decisions[-1]) + noise[stage].reshape(n, patches, 2), -1)
        hard = F.one_hot(soft.argmax(-1), 2).double()
        decisions.append((hard - soft.detach() + soft)[..., :1] * decisions[-1])
        return torch.cat([torch.ones(n, PREFIX, 1, dtype=torch.float64), decisions[-1]], 1)

    logits, features = forward(choose)
    ratio = sum(((decision.reshape(n, patches).mean(1) - KEEP ** (stage + 1)) ** 2).mean() for stage, decision in enumerate(decisions[1:]))
    left = decisions[-1].reshape(n, patches) > 0.5
    assert left.any() and not left.all()
    loss = F.cross_entropy(logits, wanted) + 2 * ratio / len(BLOCKS)
    loss = loss + 0.5 * F.kl_div(F.log_softmax(logits, -1), F.log_softmax(teacher[0], -1), reduction="batchmean", log_target=True)
    return loss + 0.5 * ((features[left] - teacher[1][left]) ** 2).mean(), logits


random = np.random.RandomState(6)
shapes = [("norm.weight", (d,)), ("norm.bias", (d,)), ("mix.weight", (d, d)), ("mix.bias", (d,)), ("half.weight", (d // 2, d)), ("half.bias", (d // 2,)),
          ("quarter.weight", (d // 4, d // 2)), ("quarter.bias", (d // 4,)), ("keep.weight", (2, d // 4)), ("keep.bias", (2,))]
start = {f"{stage}.{name}": random.uniform(0.5, 1.5, shape) if name == "norm.weight" else random.standard_normal(shape) * (1.2 / np.sqrt(shape[-1]) if len(shape) == 2 else 0.2)
         for stage in range(3) for name, shape in shapes}
start = {name: value.astype(np.float32).astype(np.float64) for name, value in start.items()}
noise = [[-np.log(-np.log(random.uniform(1e-6, 1 - 1e-6, (n * patches, 2)))) for _ in range(3)] for _ in range(2)]

with torch.no_grad():
    teacher = forward(None)
wanted = torch.tensor([label if label >= 0 else int(teacher[0][i].argmax()) for i, label in enumerate(labels)])
p = {name: torch.from_numpy(value.copy()).requires_grad_(True) for name, value in start.items()}
optimiser = torch.optim.AdamW([{"params": [v for v in p.values() if v.dim() == 2], "weight_decay": 0.05}, {"params": [v for v in p.values() if v.dim() == 1], "weight_decay": 0.0}], lr=1e-3)
out = {"loss": [], "labels": np.array(labels, np.int32)}
for step in range(2):
    optimiser.zero_grad()
    loss, logits = loss_of(p, [torch.from_numpy(v) for v in noise[step]], teacher, wanted)
    loss.backward()
    smallest = min(float(v.grad.abs().min()) for v in p.values())
    assert smallest > 1e-9, smallest  # AdamW's first steps are all of one size: none has its sign by chance
    out["loss"].append(float(loss))
    if step == 0:
        out["logits"] = logits.detach().numpy()
    optimiser.step()
    for stage in range(3):
        out[f"noise.{step}.{stage}"] = noise[step][stage]
out["loss"] = np.array(out["loss"])
out.update({"start." + name: value for name, value in start.items()})
out.update({"end." + name: value.detach().numpy() for name, value in p.items()})

# Run: the best int(36 keep^k) of those there are, one photo at a time; the others are gone.
begin = {name: torch.from_numpy(value) for name, value in start.items()}
kept, scores, pruned = [[], [], []], [[], [], []], []
with torch.no_grad():
    for image in range(n):
        net.record.clear()
        x, _ = models_timm_vit.embed(net, config, images[image:image + 1])
        own = np.arange(patches)
        for i in range(depth):
            if i in BLOCKS:
                stage = BLOCKS.index(i)
                count = int(patches * KEEP ** (stage + 1))
                score = predict(begin, stage, x[:, PREFIX:], torch.ones(1, x.shape[1] - PREFIX, 1, dtype=torch.float64))[0, :, 0].numpy()
                order = np.argsort(-score, kind="stable")
                assert score[order[count - 1]] - score[order[count]] > MARGIN
                best = np.sort(order[:count])
                own = own[best]
                kept[stage].append(own)
                scores[stage].append(score)
                x = torch.cat([x[:, :PREFIX], x[:, PREFIX + torch.from_numpy(best)]], 1)
            q = x
            name = f"blocks.{i}."
            y = net.layer_norm(name + "norm1", q, 1e-6)
            parts = [split_heads(part, heads) for part in net.linear(name + "attn.qkv", y, 3 * d).chunk(3, -1)]
            x = x + net.linear(name + "attn.proj", attend(*parts, None), d)
            y = F.gelu(net.linear(name + "mlp.fc1", net.layer_norm(name + "norm2", x, 1e-6), 4 * d))
            x = x + net.linear(name + "mlp.fc2", y, d)
        pruned.append(tail(x)[0][0].numpy())
for stage in range(3):
    out[f"kept.{stage}"] = np.array(kept[stage], np.int32)
    out[f"scores.{stage}"] = np.array(scores[stage])
out["pruned"] = np.array(pruned)
np.savez_compressed(HERE / "learned_golden.npz", **out)
print("loss", out["loss"], "smallest gradient", smallest)
