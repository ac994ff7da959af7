#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain twins of the fleet lab: placement by looking at every point, gossip by enumerating every call of a round in exact fractions.

    python3 tests/golden/make_fleet_golden.py > tests/golden/fleet_golden.json
"""
import itertools
import json
from fractions import Fraction

MASK = (1 << 64) - 1
STEP = 0x9E3779B97F4A7C15


def mix(z):
    z &= MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def pair(a, b):
    return mix(mix((a + STEP) & MASK) + b * STEP)


def key_point(key, seed):
    return pair(pair(0x6B65790000000001, seed), key)


def ring(key, devices, nodes, count, seed):
    points = [((pair(pair(0x6465760000000002, seed), (d << 32) | v) - key_point(key, seed)) & MASK, d) for d in devices for v in range(nodes)]
    holders = []
    for _, device in sorted(points):
        if device not in holders:
            holders.append(device)
    return holders[:count]


def rendezvous(key, devices, count, seed):
    point = pair(0x7061690000000003, key_point(key, seed))
    return sorted(devices, key=lambda d: -pair(point, d))[:count]


def next_informed(mode, n, fanout, loss, k):
    """Distribution of how many of n know after a round in which 0 .. k-1 knew: every call of every caller goes to each other device, or is lost."""
    callers = [d for d in range(n) for _ in range(fanout) if mode == "push-pull" or (d < k) == (mode == "push")]
    outcomes = [[(o, (1 - loss) / (n - 1)) for o in range(n) if o != d] + [(None, loss)] for d in callers]
    chances = {}
    for calls in itertools.product(*outcomes):
        chance = Fraction(1)
        known = set(range(k))
        for caller, (other, weight) in zip(callers, calls):
            chance *= weight
            if other is None:
                continue
            if mode != "pull" and caller < k:
                known.add(other)
            if mode != "push" and other < k:
                known.add(caller)
        if chance:
            chances[len(known)] = chances.get(len(known), 0) + chance
    return chances


def gossip(mode, n, fanout, loss):
    steps = {k: next_informed(mode, n, fanout, loss, k) for k in range(1, n)}
    rounds = {n: Fraction(0)}
    for k in range(n - 1, 0, -1):
        rounds[k] = (1 + sum(p * rounds[j] for j, p in steps[k].items() if j > k)) / (1 - steps[k].get(k, 0))
    state, informed = {1: Fraction(1)}, []
    for _ in range(6):
        informed.append(float(sum(p * k for k, p in state.items()) / n))
        after = {}
        for k, p in state.items():
            for j, q in (steps[k].items() if k < n else [(n, Fraction(1))]):
                after[j] = after.get(j, 0) + p * q
        state = after
    return {"mode": mode, "devices": n, "fanout": fanout, "loss": float(loss), "rounds": float(rounds[1]), "informed": informed}


def main():
    devices, seed = [0, 1, 3, 4, 9], 3
    keys = list(range(60)) + [MASK, 1 << 40]
    document = {
        "placement": {"devices": devices, "virtualNodes": 7, "seed": seed, "keys": [str(k) for k in keys],
                      "ring": [ring(k, devices, 7, 3, seed) for k in keys], "rendezvous": [rendezvous(k, devices, 3, seed) for k in keys]},
        "gossip": [gossip(mode, n, 1, Fraction(0)) for mode in ("push", "pull", "push-pull") for n in (2, 3, 5, 6)]
        + [gossip(mode, 5, 1, Fraction(1, 4)) for mode in ("push", "pull", "push-pull")]
        + [gossip(mode, 4, 2, Fraction(1, 8)) for mode in ("push", "pull", "push-pull")],
    }
    print(json.dumps(document, indent=1))


main()
