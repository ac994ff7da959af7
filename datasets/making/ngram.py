# SPDX-License-Identifier: GPL-3.0-or-later
"""The baseline: an interpolated trigram model with modified Kneser-Ney smoothing (Chen and Goodman 1998, eq. 23-27).

Three discounts an order, from the counts of counts; the lower orders count distinct left neighbours; the lowest order
is interpolated with the uniform distribution.
"""
import numpy as np


def discounts(counts):
    """D1, D2 and D3+ of a set of counts, indexed by min(count, 3); index 0 is 0."""
    n = [np.count_nonzero(counts == i) for i in range(1, 5)]
    y = n[0] / (n[0] + 2 * n[1])
    d = [0.0] + [i - (i + 1) * y * n[i] / n[i - 1] for i in range(1, 4)]
    return np.clip(np.array(d), 0.0, [0.0, 1.0, 2.0, 3.0])


class Trigram:
    def __init__(self, tokens, entries):
        self.entries = v = entries
        t = tokens.astype(np.int64)
        self.keys, self.counts = np.unique((t[:-2] * v + t[1:-1]) * v + t[2:], return_counts=True)
        self.discount3 = discounts(self.counts)
        taken = self.discount3[np.minimum(self.counts, 3)]
        context = self.keys // v
        self.total = np.bincount(context, self.counts, v * v)
        self.spared = np.bincount(context, taken, v * v)
        self.lower = self.bigram(self.keys % (v * v))

    def bigram(self, pairs):
        """[v, v] probabilities of the second token after the first, from the distinct left neighbours of pairs."""
        v = self.entries
        seen = np.bincount(pairs, minlength=v * v)
        ends = np.bincount(np.nonzero(seen)[0] % v, minlength=v)
        d1, d2 = discounts(ends), discounts(seen)
        unigram = (ends - d1[np.minimum(ends, 3)]) / ends.sum()
        unigram += (1 - unigram.sum()) / v
        seen = seen.reshape(v, v)
        taken = d2[np.minimum(seen, 3)]
        total = seen.sum(1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            table = (seen - taken) / total + taken.sum(1, keepdims=True) / total * unigram
        return np.where(total > 0, table, unigram)

    def probability(self, u, v, w):
        """P(w | u v), elementwise over integer arrays."""
        u, v, w = (np.asarray(a, np.int64) for a in (u, v, w))
        context, key = u * self.entries + v, (u * self.entries + v) * self.entries + w
        at = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        count = np.where(self.keys[at] == key, self.counts[at], 0)
        total, lower = self.total[context], self.lower[v, w]
        upper = (count - self.discount3[np.minimum(count, 3)] + self.spared[context] * lower) / np.maximum(total, 1)
        return np.where(total > 0, upper, lower)

    def check(self):
        """Every distribution must add up to one: the most and the least frequent contexts, and one never seen."""
        every = np.arange(self.entries)
        order = np.argsort(self.total)
        for context in (order[-1], order[-1000], order[np.searchsorted(self.total[order], 1)], order[0]):
            u, v = divmod(int(context), self.entries)
            one = self.probability(np.full_like(every, u), np.full_like(every, v), every).sum()
            assert abs(one - 1) < 1e-9, (u, v, one)
