# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies that look at a sample, written down plainly: Hyperbolic, and those that learn who comes back (logistic regression, boosted trees), their models by NumPy."""
import math

import numpy as np

from cache_twins import MASK, Cache, Draws, mixed

F = np.float32


class Sampled(Cache):
    """The least worth of so many draws, or of all where no more are held; a gap is filled by the last."""

    def __init__(self, capacity, sized, seed, sample=64):
        super().__init__(capacity, sized)
        self.draws, self.held, self.now, self.sample = Draws(seed), [], 0, sample

    def evict(self):
        n = len(self.held)
        places = range(n) if n <= self.sample else [self.draws.bits() % n for _ in range(self.sample)]
        worst = min(places, key=lambda place: self.worth(self.held[place]))
        x = self.held[worst]
        self.gone(x)
        self.held[worst] = self.held[-1]
        self.held.pop()
        return x

    def gone(self, x):
        pass


def weight_of(x):
    """Costs 0 to 15 and uniqueness 1 to 1/8 by the object, the second squared."""
    return (x * 40503 % 16) * (0.5 ** (x % 4)) ** 2


class Hyperbolic(Sampled):
    weighted = False

    def __init__(self, capacity, sized, seed, sample=64, by_size=False):
        super().__init__(capacity, sized, seed, sample)
        self.requests, self.since, self.by_size = {}, {}, by_size

    def touch(self, x):
        self.now += 1
        if x in self.since:
            self.requests[x] += 1
            return True
        return False

    def insert(self, x):
        self.held.append(x)
        self.requests[x], self.since[x] = 1, self.now

    def gone(self, x):
        del self.since[x]

    def worth(self, x):
        return self.requests[x] * (weight_of(x) if self.weighted else 1) / ((self.now - self.since[x] + 1) * (self.size(x) if self.by_size else 1))


class HyperbolicWeights(Hyperbolic):
    weighted = True


class Logistic:
    """Maximum of the likelihood less 0.001 |w|^2 / 2 a row, w of features brought to mean 0 and deviation 1: Newton steps, halved while the likelihood falls."""

    def __init__(self):
        self.fitted = False

    def learn(self, rows, labels):
        x = np.array(rows, np.float64)
        y = np.array(labels, np.float64)
        mean, deviation = x.mean(0), x.std(0)
        use = deviation > 1e-9
        z = np.column_stack([np.ones(len(y)), (x[:, use] - mean[use]) / deviation[use]])
        ridge = len(y) * np.r_[1e-9, np.full(use.sum(), 1e-3)]

        def loss(w):
            odds = z @ w
            return np.logaddexp(0, odds).sum() - y @ odds + ridge @ w**2 / 2

        w = np.zeros(z.shape[1])
        w[0] = math.log((y.sum() + 0.5) / (len(y) - y.sum() + 0.5))
        for _ in range(100 if 0 < y.sum() < len(y) else 0):
            p = 1 / (1 + np.exp(-(z @ w)))
            step = np.linalg.solve((z * (p * (1 - p))[:, None]).T @ z + np.diag(ridge), z.T @ (y - p) - ridge * w)
            while loss(w + step) > loss(w) + 1e-12 * abs(loss(w)) and np.abs(step).max() > 1e-12:
                step /= 2
            w += step
            if np.abs(step).max() < 1e-10:
                break
        self.w = np.zeros(x.shape[1])
        self.w[use] = w[1:] / deviation[use]
        self.intercept = w[0] - self.w @ mean
        self.fitted = True

    def scores(self, x):
        return self.intercept + x.astype(np.float64) @ self.w


class Boosted:
    """24 trees of depth 4 on 32 bins a feature; Newton gains with a ridge of 1, 8 of curvature on both sides at least, a quarter of each step taken."""

    def __init__(self):
        self.fitted = False

    def learn(self, rows, labels):
        x, y = np.array(rows, F), np.array(labels, np.float64)
        n, features = x.shape
        edges = []
        for f in range(features):
            values = np.sort(x[:, f])
            edges.append(np.unique([v for v in values[np.arange(1, 32) * n // 32] if v < values[-1]]).astype(F))
        bins = np.column_stack([np.searchsorted(edges[f], x[:, f], "left") for f in range(features)])
        self.start = math.log((y.sum() + 0.5) / (n - y.sum() + 0.5))
        scores, self.trees = np.full(n, self.start), []
        for _ in range(24):
            p = 1 / (1 + np.exp(-scores))
            tree, leaf = self.grow(bins, edges, y - p, p * (1 - p), np.arange(n), 0)
            self.trees.append(tree)
            for of, value in leaf:
                scores[of] += float(F(value))
        self.fitted = True

    def grow(self, bins, edges, g, h, rows, depth):
        """A tree: (feature, edge, left, right), or the value of a leaf; and the rows of its leaves."""
        if depth < 4:
            best = (0.0, None)
            for f, ends in enumerate(edges):
                sums = [np.cumsum(np.bincount(bins[rows, f], of[rows], minlength=32)) for of in (g, h)]
                all_g, all_h = sums[0][-1], sums[1][-1]
                for b in range(len(ends)):
                    left, right = (sums[0][b], sums[1][b]), (all_g - sums[0][b], all_h - sums[1][b])
                    if min(left[1], right[1]) >= 8:
                        gain = sum(s * s / (c + 1) for s, c in (left, right)) - all_g**2 / (all_h + 1)
                        if gain > best[0] + 1e-9:
                            best = (gain, (f, b))
            if best[1]:
                f, b = best[1]
                right = bins[rows, f] > b
                halves = [self.grow(bins, edges, g, h, part, depth + 1) for part in (rows[~right], rows[right])]
                return (f, edges[f][b], halves[0][0], halves[1][0]), halves[0][1] + halves[1][1]
        value = 0.25 * g[rows].sum() / (h[rows].sum() + 1)
        return F(value), [(rows, value)]

    def scores(self, x):
        def walk(tree, row):
            while isinstance(tree, tuple):
                tree = tree[3] if row[tree[0]] > tree[1] else tree[2]
            return float(tree)

        return np.array([self.start + sum(walk(tree, row) for tree in self.trees) for row in x])


class Reuse(Sampled):
    """LRB in the small: who is held is looked at every fourth request, and labelled by whether it is requested within a horizon; a model of the latest labels ranks."""

    window, retrain = 8192, 4096

    def __init__(self, capacity, sized, seed, model):
        super().__init__(capacity, sized, seed)
        self.model, self.looks_draws = model, Draws(mixed((seed + 0x9E3779B97F4A7C15) & MASK))
        self.last, self.requests, self.gaps, self.counters, self.sizes, self.member = {}, {}, {}, {}, {}, set()
        self.labels, self.at, self.fresh, self.next = [], 0, 0, 256
        self.waiting, self.open, self.asked, self.missed, self.next_look = [], {}, 0, 0, 0

    def label(self, x, y):
        if len(self.labels) < self.window:
            self.labels.append((x, y))
        else:
            self.labels[self.at] = (x, y)
            self.at = (self.at + 1) % self.window
        self.fresh += 1

    def features(self, x):
        age = F(self.now - self.last[x])
        decayed = self.counters[x] * np.exp2(-age / HALVES)
        return np.concatenate([[np.log2(F(1) + age), np.log2(F(self.requests[x]))], self.gaps[x], [np.log2(F(self.sizes[x]))], decayed]).astype(F)

    def settle(self, x):
        look = self.open.pop(x, None)
        if look:
            self.label(look["x"], self.now - look["at"] <= look["within"])
            look["done"] = True
        while self.waiting and (self.waiting[0]["done"] or self.now - self.waiting[0]["at"] > self.waiting[0]["within"]):
            look = self.waiting.pop(0)
            if not look["done"]:
                self.label(look["x"], False)
                del self.open[look["of"]]

    def note(self, x):
        if x in self.last:
            gap = F(self.now - self.last[x])
            self.gaps[x] = np.concatenate([[np.log2(gap)], self.gaps[x][:3]]).astype(F)
            self.counters[x] = self.counters[x] * np.exp2(-gap / HALVES)
        else:
            self.gaps[x], self.counters[x] = np.full(4, 32, F), np.zeros(4, F)
        self.counters[x] = self.counters[x] + F(1)
        self.last[x], self.sizes[x], self.requests[x] = self.now, self.size(x), self.requests.get(x, 0) + 1

    def touch(self, x):
        self.now += 1
        self.settle(x)
        self.note(x)
        hit = x in self.member
        self.asked += 1
        self.missed += not hit
        if self.now % 4 == 0 and self.now >= self.next_look and self.held:
            of = self.held[self.looks_draws.bits() % len(self.held)]
            within = int(min(max(2 * len(self.held) * self.asked / max(self.missed, 1), 16.0), 1e9))
            self.next_look = self.now + within // 131072
            if of not in self.open:
                self.open[of] = {"of": of, "done": False, "at": self.now, "within": within, "x": self.features(of)}
                self.waiting.append(self.open[of])
        if self.fresh >= self.next:
            self.model.learn([x for x, _ in self.labels], [y for _, y in self.labels])
            self.fresh, self.next = 0, min(self.retrain, max(256, len(self.labels) // 2))
            self.asked, self.missed = self.asked // 2, self.missed // 2
        return hit

    def insert(self, x):
        self.held.append(x)
        self.member.add(x)

    def gone(self, x):
        self.member.remove(x)

    def evict(self):
        n = len(self.held)
        places = list(range(n)) if n <= 64 else [self.draws.bits() % n for _ in range(64)]
        if self.model.fitted:
            x = np.array([self.features(self.held[place]) for place in places])
            worth = 1 / (1 + np.exp(-self.model.scores(x))) - 1e-9 * x[:, 0].astype(np.float64)
        else:
            worth = np.array([-float(self.now - self.last[self.held[place]]) for place in places])
        worst = places[int(np.argmin(worth))]
        x = self.held[worst]
        self.gone(x)
        self.held[worst] = self.held[-1]
        self.held.pop()
        return x


class ReuseWindow(Reuse):
    window, retrain = 512, 256


HALVES = np.array([64, 1024, 16384, 262144], F)
