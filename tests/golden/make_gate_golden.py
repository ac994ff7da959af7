#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expected L0 of gates, by PyTorch: run /usr/bin/python3 tests/golden/make_gate_golden.py (Debian's python3-torch, python3-numpy).

Louizos, Welling, Kingma 2018 (arXiv 1712.01312), beta 2/3, gamma -0.1, zeta 1.1, in float64:

    expected L0 of a gate = sigmoid(a - beta log(-gamma / zeta)),   settled gate = clamp(sigmoid(a) (zeta - gamma) + gamma, 0, 1)

tests/golden/gate_golden.npz: logits [1, n], shares [1, n], and for <kind> in hard-concrete, straight-through: <kind>.expected [1] = sum shares P(open),
<kind>.gradient [1, n] by autograd, <kind>.settled [1, n], and <kind>.drawn [1], the mean of sum shares (gate != 0) over 200,000 draws of the gate itself
"""
import os
import pathlib

os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")

import numpy as np  # noqa: E402
import torch  # noqa: E402

OUT = pathlib.Path(__file__).resolve().parent / "gate_golden.npz"
BETA, GAMMA, ZETA = 2 / 3, -0.1, 1.1


def main():
    torch.manual_seed(4)
    n = 10
    a = torch.linspace(-5, 5, n, dtype=torch.float64).reshape(1, n).requires_grad_()
    shares = torch.rand(1, n, dtype=torch.float64)
    shares /= shares.sum()
    store = {"logits": a.detach().numpy(), "shares": shares.numpy()}
    u = torch.rand(200_000, n, dtype=torch.float64)
    stretched = torch.sigmoid((torch.log(u) - torch.log1p(-u) + a.detach()) / BETA) * (ZETA - GAMMA) + GAMMA
    drawn = {"hard-concrete": stretched.clamp(0, 1) != 0, "straight-through": u < torch.sigmoid(a.detach())}
    for kind in drawn:
        open_probability = torch.sigmoid(a - BETA * np.log(-GAMMA / ZETA)) if kind == "hard-concrete" else torch.sigmoid(a)
        expected = (shares * open_probability).sum()
        (gradient,) = torch.autograd.grad(expected, a)
        settled = (torch.sigmoid(a) * (ZETA - GAMMA) + GAMMA).clamp(0, 1) if kind == "hard-concrete" else (torch.sigmoid(a) > 0.5).double()
        store[kind + ".expected"] = expected.detach().reshape(1).numpy()
        store[kind + ".gradient"], store[kind + ".settled"] = gradient.numpy(), settled.detach().numpy()
        store[kind + ".drawn"] = (drawn[kind].double() * shares).sum(1).mean().reshape(1).numpy()
        print(kind, float(expected), float(store[kind + ".drawn"][0]))
    np.savez(OUT, **store)


main()
