#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exit heads at their optimum: run /usr/bin/python3 tests/golden/make_exit_head_golden.py (Debian's python3-numpy, python3-scipy).

Multinomial logistic regression with soft targets, minimised by scipy's L-BFGS in float64:

    mean over photos of -sum_c t_c log softmax(x' W^T + b)_c + decay / 2 |W|^2,    x' = (x - mean) / deviation over the photos

tests/golden/exit_head.npz: features [photos, d], logits [photos, classes] (whose softmax is learned), labels [photos] (-1: none), decay [1], and
for <learn> in model, labels: <learn>.weight [classes, d] and <learn>.bias [classes] of x itself (bias less its mean: the loss does not depend on
that), <learn>.objective [1], <learn>.factor [1]: 1 / temperature that fits the head's logits to the targets of the same photos
"""
import pathlib

import numpy as np
from scipy import optimize, special

OUT = pathlib.Path(__file__).resolve().parent / "exit_head.npz"
PHOTOS, D, CLASSES, DECAY = 60, 7, 4, 0.02


def main():
    rng = np.random.default_rng(11)
    # correlated features of unequal size, as a class token's are
    x = (rng.normal(size=(PHOTOS, D)) @ rng.normal(size=(D, D)) + rng.normal(size=D)).astype(np.float32)
    logits = (1.5 * np.tanh(x[:, :CLASSES] * 0.7) + 0.8 * rng.normal(size=(PHOTOS, CLASSES))).astype(np.float32)
    labels = rng.integers(0, CLASSES, PHOTOS).astype(np.int32)
    labels[::5] = -1
    store = {"features": x, "logits": logits, "labels": labels, "decay": np.array([DECAY], np.float32)}
    decay = float(store["decay"][0])
    x64 = x.astype(np.float64)
    mean, deviation = x64.mean(0), x64.std(0)
    z = (x64 - mean) / deviation
    for learn in ["model", "labels"]:
        t = special.softmax(logits.astype(np.float64), axis=1)
        if learn == "labels":
            t[labels >= 0] = np.eye(CLASSES)[labels[labels >= 0]]

        def objective(parameters):
            w, b = parameters[:CLASSES * D].reshape(CLASSES, D), parameters[CLASSES * D:]
            out = z @ w.T + b
            loss = -(t * special.log_softmax(out, axis=1)).sum(1).mean() + decay / 2 * (w * w).sum()
            error = (special.softmax(out, axis=1) - t) / PHOTOS
            return loss, np.concatenate([(error.T @ z + decay * w).ravel(), error.sum(0)])

        found = optimize.minimize(objective, np.zeros(CLASSES * (D + 1)), jac=True, method="L-BFGS-B", options={"maxiter": 10000, "ftol": 1e-16, "gtol": 1e-11})
        assert np.abs(objective(found.x)[1]).max() < 1e-8, found
        w, b = found.x[:CLASSES * D].reshape(CLASSES, D), found.x[CLASSES * D:]
        own = w / deviation
        bias = b - own @ mean
        out = x64 @ own.T + bias
        factor = optimize.minimize_scalar(lambda f: -(t * special.log_softmax(f * out, axis=1)).sum(), bounds=(0.01, 100), method="bounded", options={"xatol": 1e-10}).x
        store[learn + ".weight"], store[learn + ".bias"] = own, bias - bias.mean()
        store[learn + ".objective"], store[learn + ".factor"] = np.array([found.fun]), np.array([factor])
    np.savez(OUT, **store)
    print({name: store[name] for name in store if name.endswith(("objective", "factor"))})


main()
