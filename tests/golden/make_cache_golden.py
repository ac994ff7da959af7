#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hits of cache policies, each written down plainly (here those that learn or weigh, others in cache_twins.py and cache_sampled_twins.py), for tests/core/cache/tst_cache_policies.cpp.

    /usr/bin/python3 tests/golden/make_cache_golden.py   # writes tests/golden/cache_golden.json

The trace is drawn by a generator that C++ repeats bit for bit (SplitMix64): a mixture of a popular set, a loop and objects seen once. Sizes are
1, or 1 to 64 by the object.
"""
import json
import math
import pathlib

from cache_sampled_twins import Boosted, Hyperbolic, HyperbolicWeights, Logistic, Reuse, ReuseWindow, Sampled, weight_of
from cache_twins import (MASK, Arc, Belady, Cache, Clock, Draws, Fifo, Gdsf, Lfu, Lirs, Lru, LruK, Mru, S3, Sieve, Slru, TinyLfu, TwoQ, mixed, size_of, trace)


class GdsfCosts(Gdsf):
    """Costs 0 to 15 by the object."""

    def touch(self, x):
        hit = super().touch(x)
        if hit:
            self.priority[x] = (self.age + 1e6 * self.held[x][0] * (x * 40503 % 16) / self.size(x), self.turn)
        return hit

    def insert(self, x):
        super().insert(x)
        self.priority[x] = (self.age + 1e6 * (x * 40503 % 16) / self.size(x), self.turn)


class GdsfWeights(Gdsf):
    def touch(self, x):
        hit = super().touch(x)
        if hit:
            self.priority[x] = (self.age + 1e6 * self.held[x][0] * weight_of(x) / self.size(x), self.turn)
        return hit

    def insert(self, x):
        super().insert(x)
        self.priority[x] = (self.age + 1e6 * weight_of(x) / self.size(x), self.turn)


class LeCaR(Cache):
    """Vietri et al. 2018, as the authors' program has it: two histories, blame by age, weights within 0.01 .. 0.99. Both lists oldest first."""

    def __init__(self, capacity, sized, seed, rate=0.45, discount=0.005, history=1.0):
        super().__init__(capacity, sized)
        self.draws, self.w, self.now = Draws(seed), 0.5, 0
        self.rate, self.discount, self.remembered = rate, discount ** (1 / capacity), int(history * capacity)
        self.held, self.lru, self.histories, self.left, self.count = {}, [], ([], []), {}, {}

    def touch(self, x):
        self.now += 1
        self.new_count = 1
        if x in self.held:
            self.held[x] = (self.held[x][0] + 1, self.now)
            self.lru.remove(x)
            self.lru.append(x)
            return True
        for expert, history in enumerate(self.histories):
            if x in history:
                weights = [self.w, 1 - self.w]
                weights[expert] *= math.exp(-self.rate * self.discount ** (self.now - self.left[x]))
                self.w = min(max(weights[0] / (weights[0] + weights[1]), 0.01), 0.99)
                self.new_count = self.count[x] + 1
                history.remove(x)
        return False

    def evict(self):
        recency = (self.draws.bits() >> 11) / 2 ** 53 < self.w
        oldest, rarest = self.lru[0], min(self.held, key=self.held.get)
        x = oldest if recency else rarest
        self.count[x], self.left[x] = self.held[x][0], self.now
        del self.held[x]
        self.lru.remove(x)
        if oldest != rarest and self.size(x) <= self.remembered:
            history = self.histories[0 if recency else 1]
            while sum(map(self.size, history)) + self.size(x) > self.remembered:
                history.pop(0)
            history.append(x)
        return x

    def insert(self, x):
        self.held[x] = (self.new_count, self.now)
        self.lru.append(x)


class ImportanceWeighted(Sampled):
    """The last four requests since it came in; importance 1 / size."""

    def __init__(self, *a):
        super().__init__(*a)
        self.times = {}

    def touch(self, x):
        self.now += 1
        if x in self.held:
            self.times[x] = [self.now] + self.times[x][:3]
            return True
        return False

    def insert(self, x):
        self.held.append(x)
        self.times[x] = [self.now]

    def worth(self, x):
        total = 0.0
        for time in self.times[x]:
            total += 1 / (self.now - time + 1)
        return total * (1 / self.size(x))


class LeastSquares:
    """Recursive, with forgetting, as it stands in textbooks: gain = P x / (forgetting + x P x); nothing is forgotten while the trace of P is beyond its start."""

    def __init__(self, features, forgetting, prior=1e4):
        self.w, self.forgetting, self.most, self.learned = [0.0] * features, forgetting, prior * features, 0
        self.p = [[prior if i == j else 0.0 for j in range(features)] for i in range(features)]

    def predict(self, x):
        return sum(w * v for w, v in zip(self.w, x))

    def learn(self, x, y):
        n = range(len(self.w))
        gain = [sum(self.p[i][j] * x[j] for j in n) for i in n]
        expected = self.forgetting + sum(x[i] * gain[i] for i in n)
        forget = 1.0 if sum(self.p[i][i] for i in n) > self.most else self.forgetting
        off = y - self.predict(x)
        self.w = [self.w[i] + gain[i] / expected * off for i in n]
        self.p = [[(self.p[max(i, j)][min(i, j)] - gain[max(i, j)] * gain[min(i, j)] / expected) / forget for j in n] for i in n]
        self.learned += 1


class ArGap(Sampled):
    """Log gaps by regression on up to three before; the farthest expected leaves, one overdue by two deviations counts as far as it is old."""

    def __init__(self, *a):
        super().__init__(*a)
        self.models = [[LeastSquares(known + 1, 0.9999), 1.0, 2.0, 1.0] for known in range(4)]  # regression, error, entered, returned
        self.last, self.gaps, self.expected, self.latest = {}, {}, {}, {}

    def touch(self, x):
        self.now += 1
        gaps = self.gaps.setdefault(x, [])
        if x in self.last:
            gap, model = math.log2(self.now - self.last[x]), self.models[len(gaps)]
            off = gap - model[0].predict([1.0] + gaps)
            model[1] += (off * off - model[1]) / 256
            model[0].learn([1.0] + gaps, gap)
            model[3] += 1
            gaps = self.gaps[x] = ([gap] + gaps)[:3]
        model = self.models[len(gaps)]
        model[2] += 1
        self.last[x] = self.now
        expected = min(max(model[0].predict([1.0] + gaps), 0.0), 48.0)
        self.expected[x], self.latest[x] = 2.0 ** expected, 2.0 ** (expected + 2 * math.sqrt(model[1]))
        return x in self.held

    def insert(self, x):
        self.held.append(x)

    def worth(self, x):
        model, age = self.models[len(self.gaps[x])], self.now - self.last[x]
        return -(max(1.0, self.expected[x] - age) if age <= self.latest[x] else age) * model[2] / model[3]


class HitWeights(ImportanceWeighted):
    """The recency sum x the hits that such a stay is expected to bring / size; what it brought is learned when it ends."""

    def __init__(self, *a):
        super().__init__(*a)
        self.regression, self.requests, self.last, self.hits, self.x, self.importance = LeastSquares(6, 0.9998), {}, {}, {}, {}, {}

    def touch(self, x):
        self.gap = self.now + 1 - self.last[x] if x in self.last else 0
        self.last[x] = self.now + 1
        self.requests[x] = self.requests.get(x, 0) + 1
        hit = super().touch(x)
        self.hits[x] = self.hits.get(x, 0) + 1
        return hit

    def insert(self, x):
        super().insert(x)
        before = self.requests[x] - 1
        self.x[x] = [1.0, math.log2(1 + before), 1.0 if before else 0.0, math.log2(self.gap) if self.gap else 0.0, math.log2(self.size(x)), math.log2(2)]
        self.importance[x] = max(0.01, self.regression.predict(self.x[x])) if self.regression.learned >= 64 else 1.0
        self.hits[x] = 0

    def gone(self, x):
        self.regression.learn(self.x[x], min(16, self.hits[x]))

    def worth(self, x):
        return sum(1 / (self.now - time + 1) for time in self.times[x]) * self.importance[x] / self.size(x)


class AdaptiveLruK(LruK):
    """Small caches for K = 1 .. 5 on the objects that the hash of their number chooses."""

    def __init__(self, capacity, sized):
        super().__init__(capacity, sized, 5)
        rate = min(max(0.05, 64 / capacity), 1)
        self.limit, self.margin, self.window = rate * 2 ** 53, 0.005, max(1000, 5 * capacity)
        small = max(1, math.floor(capacity * rate + 0.5))
        self.trials, self.hits, self.seen, self.numbers, self.now_k = [LruK(small, sized, k) for k in range(1, 6)], [0] * 5, 0, {}, 2

    def touch(self, x):
        number = self.numbers.setdefault(x, len(self.numbers))
        if mixed((number + 0x9E3779B97F4A7C15) & MASK) >> 11 < self.limit:
            self.seen += 1
            self.hits = [hits + trial.request(x) for hits, trial in zip(self.hits, self.trials)]
        if (self.now + 1) % self.window == 0:
            best = self.hits.index(max(self.hits))
            if self.seen and self.hits[best] - self.hits[self.now_k - 1] > self.margin * self.seen:
                self.now_k = best + 1
            self.hits, self.seen = [hits // 2 for hits in self.hits], self.seen // 2
        return super().touch(x)

    def evict(self):
        x = min(self.held, key=lambda x: (self.hist[x][self.now_k - 1], self.hist[x][0]))
        self.held.remove(x)
        return x


class HalvedLfu(Lfu):
    """At every so many requests, before the request counts, each count becomes half of it, 1 at least; among equals who was in front stays in front."""

    def __init__(self, capacity, sized, every):
        super().__init__(capacity, sized)
        self.every = every

    def touch(self, x):
        if (self.turn + 1) % self.every == 0:
            order = sorted(self.held, key=self.held.get)
            self.held = {y: (max(1, self.held[y][0] // 2), place - len(order)) for place, y in enumerate(order)}
        return super().touch(x)


# Options away from their defaults: the policy, its options as they are typed, its twin, the sizes.
BOTH = ("unit", "sized")
OPTIONS = (
    ("lfu", {"halve-every": "50"}, lambda *a: HalvedLfu(*a, 50), BOTH),
    ("lfu", {"halve-every": "700"}, lambda *a: HalvedLfu(*a, 700), BOTH),
    ("w-tinylfu", {"climb": "false"}, lambda *a: TinyLfu(*a, climb=False), ("unit",)),
    ("w-tinylfu", {"climb": "false", "window": "0.3"}, lambda *a: TinyLfu(*a, climb=False, window=0.3), ("unit",)),
    ("w-tinylfu", {"window": "0.2"}, lambda *a: TinyLfu(*a, window=0.2), ("unit",)),
    ("w-tinylfu", {"climb": "false", "protected": "0.25"}, lambda *a: TinyLfu(*a, climb=False, protected=0.25), ("unit",)),
    ("two-q", {"in": "0.1"}, lambda *a: TwoQ(*a, newcomers=0.1), BOTH),
    ("two-q", {"out": "1.5"}, lambda *a: TwoQ(*a, remembered=1.5), BOTH),
    ("two-q", {"in": "0.6", "out": "0.2"}, lambda *a: TwoQ(*a, newcomers=0.6, remembered=0.2), BOTH),
    ("s3-fifo", {"small": "0.3"}, lambda *a: S3(*a, small=0.3), BOTH),
    ("s3-fifo", {"ghost": "0.2"}, lambda *a: S3(*a, ghost=0.2), BOTH),
    ("s3-fifo", {"promote": "1"}, lambda *a: S3(*a, promote=1), BOTH),
    ("s3-fifo", {"small": "0.05"}, lambda *a: S3(*a, small=0.05), BOTH),
    ("s3-fifo", {"small": "0.8", "ghost": "2", "promote": "4"}, lambda *a: S3(*a, small=0.8, ghost=2.0, promote=4), BOTH),  # beyond two bits
    ("lirs", {"hir": "0.1"}, lambda *a: Lirs(*a, hir=0.1), ("unit",)),
    ("lirs", {"hir": "0.35"}, lambda *a: Lirs(*a, hir=0.35), ("unit",)),
    ("clock", {"bits": "2"}, lambda *a: Clock(*a, bits=2), BOTH),
    ("clock", {"bits": "3"}, lambda *a: Clock(*a, bits=3), BOTH),
    ("lecar", {"discount": "0.5"}, lambda *a: LeCaR(*a, 3, discount=0.5), BOTH),
    ("lecar", {"history": "0.25"}, lambda *a: LeCaR(*a, 3, history=0.25), BOTH),
    ("lecar", {"learning-rate": "0.1", "history": "2"}, lambda *a: LeCaR(*a, 3, rate=0.1, history=2.0), BOTH),
    ("hyperbolic", {"sample": "8"}, lambda *a: Hyperbolic(*a, 3, sample=8), BOTH),
    ("hyperbolic", {"sample": "150"}, lambda *a: Hyperbolic(*a, 3, sample=150), BOTH),
    ("hyperbolic", {"by-size": "true"}, lambda *a: Hyperbolic(*a, 3, by_size=True), ("sized",)),
    ("slru", {"segments": "1"}, lambda *a: Slru(*a, segments=1), BOTH),
    ("slru", {"segments": "2"}, lambda *a: Slru(*a, segments=2), BOTH),
    ("slru", {"segments": "7"}, lambda *a: Slru(*a, segments=7), BOTH),
)


def byte_hits(cache, ids, first):
    """Bytes of the requests from `first` on that hit."""
    hits = [cache.request(x) for x in ids]
    return sum(size_of(x, True) for x, hit in list(zip(ids, hits))[first:] if hit)


def main():
    ids = trace(7, 6000)
    unit = {"fifo": Fifo, "lru": Lru, "mru": Mru, "clock": Clock, "sieve": Sieve, "lfu": Lfu, "gdsf": Gdsf, "two-q": TwoQ, "arc": Arc, "s3-fifo": S3, "slru": Slru, "lirs": Lirs, "w-tinylfu": TinyLfu}
    sized = [name for name in unit if name not in ("arc", "lirs", "w-tinylfu")]
    golden = {"requests": len(ids), "objects": len(set(ids)), "checksum": sum((i + 1) * x for i, x in enumerate(ids)), "unit": {}, "sized": {}}
    for key, names, capacities in (("unit", unit, (20, 60, 200)), ("sized", sized, (700, 2000, 6500))):
        for name in names:
            golden[key][name] = {c: sum(1 for x in ids if cache.request(x)) for c in capacities for cache in [unit[name](c, key == "sized")]}
        golden[key]["lru-k"] = {c: sum(1 for x in ids if cache.request(x)) for c in capacities for cache in [LruK(c, key == "sized", 2)]}
        golden[key]["lru-3"] = {c: sum(1 for x in ids if cache.request(x)) for c in capacities for cache in [LruK(c, key == "sized", 3)]}
        golden[key]["lru-2 correlated"] = {c: sum(1 for x in ids if cache.request(x)) for c in capacities for cache in [LruK(c, key == "sized", 2, 40, 0)]}
        golden[key]["lru-2 retained"] = {c: sum(1 for x in ids if cache.request(x)) for c in capacities for cache in [LruK(c, key == "sized", 2, 25, 300)]}
        golden[key]["gdsf costs"] = {c: sum(1 for x in ids if cache.request(x)) for c in capacities for cache in [GdsfCosts(c, key == "sized")]}
        golden[key]["gdsf weights"] = {c: sum(1 for x in ids if cache.request(x)) for c in capacities for cache in [GdsfWeights(c, key == "sized")]}
        golden[key]["adaptive-lru-k"] = {c: sum(1 for x in ids if cache.request(x)) for c in capacities for cache in [AdaptiveLruK(c, key == "sized")]}
        for name, policy in (("lecar", LeCaR), ("importance-weighted", ImportanceWeighted), ("ar-gap", ArGap), ("hit-weights", HitWeights), ("hyperbolic", Hyperbolic), ("hyperbolic weights", HyperbolicWeights)):
            golden[key][name] = {c: sum(1 for x in ids if cache.request(x)) for c in capacities for cache in [policy(c, key == "sized", 3)]}
        for name, kind, model in (("logistic", Reuse, Logistic), ("gbm", Reuse, Boosted), ("logistic window", ReuseWindow, Logistic), ("gbm window", ReuseWindow, Boosted)):
            golden[key][name] = {c: sum(1 for x in ids if cache.request(x)) for c in capacities for cache in [kind(c, key == "sized", 3, model())]}
        golden[key]["belady"] = {c: sum(1 for x in ids if cache.request(x)) for c in capacities for cache in [Belady(c, key == "sized", ids)]}
    sizes_of = {"unit": (20, 60, 200), "sized": (700, 2000, 6500)}
    golden["options"] = [{"policy": "cache." + name, "set": options, "sized": key == "sized",
                          "hits": {c: sum(1 for x in ids if cache.request(x)) for c in sizes_of[key] for cache in [twin(c, key == "sized")]}}
                         for name, options, twin, keys in OPTIONS for key in keys]
    golden["bytes"] = {"all": sum(size_of(x, True) for x in ids), "behind 1500": sum(size_of(x, True) for x in ids[1500:])}
    golden["byte hits"] = {name: {c: [byte_hits(unit[name](c, True), ids, first) for first in (0, 1500)] for c in sizes_of["sized"]} for name in ("lru", "fifo", "clock", "lfu")}
    path = pathlib.Path(__file__).with_name("cache_golden.json")
    path.write_text(json.dumps(golden, indent=1) + "\n")
    print(path, {k: golden[k]["lru"] for k in ("unit", "sized")})


if __name__ == "__main__":
    main()
