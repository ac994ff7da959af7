#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Levels of least-recently-used caches, written down plainly, for tests/core/hierarchy/tst_level_stack.cpp.

    /usr/bin/python3 tests/golden/make_hierarchy_golden.py   # writes tests/golden/hierarchy_golden.json

The trace is that of make_cache_golden.py; every third draw of a second generator makes a request a write. An object lives in a dictionary a level,
oldest first: {object: [size, dirty bytes]}.
"""
import json
import pathlib

from make_cache_golden import Draws, size_of, trace


class Levels:
    def __init__(self, capacities, inclusion, through):
        self.capacities, self.inclusion, self.through = capacities, inclusion, through
        self.levels = [{} for _ in capacities]
        keys = "read fill down writeback store evictions dirty invalidations".split()
        self.counts = [dict.fromkeys(keys, 0) for _ in capacities]
        self.hits = [0] * (len(capacities) + 1)
        self.written = self.coalesced = self.backing = self.flushed = 0

    def find(self, x):
        return next((i for i, level in enumerate(self.levels) if x in level), None)

    def used(self, i):
        return sum(size for size, _ in self.levels[i].values())

    def put(self, i, x, size, dirty=0):
        """Takes x into level i; returns what left it, or None where it does not fit."""
        if size > self.capacities[i]:
            return None
        gone = []
        while self.used(i) + size > self.capacities[i]:
            oldest = next(iter(self.levels[i]))
            gone.append((oldest, *self.levels[i].pop(oldest)))
        self.levels[i][x] = [size, dirty]
        return gone

    def gone(self, i, left):
        for x, size, dirty in left:
            self.counts[i]["evictions"] += 1
            source = i  # the level that holds the newest write: it is read there
            if self.inclusion == "inclusive":
                for above in reversed(range(i)):
                    if x in self.levels[above]:
                        _, newer = self.levels[above].pop(x)
                        self.counts[above]["invalidations"] += 1
                        if newer:
                            self.coalesced += dirty
                            dirty, source = newer, above
            self.counts[i]["dirty"] += dirty > 0
            if self.inclusion == "exclusive":
                self.sink(i, x, size, dirty)
            elif dirty:
                self.write_down(i, source, x, size, dirty)

    def sink(self, i, x, size, dirty):
        for below in range(i + 1, len(self.levels)):
            left = self.put(below, x, size, dirty)
            if left is not None:
                self.counts[i]["read"] += size
                self.counts[below]["writeback" if dirty else "down"] += size
                self.gone(below, left)
                return
        if dirty:
            self.counts[i]["read"] += size
            self.backing += dirty

    def write_down(self, i, source, x, size, dirty):
        self.counts[source]["read"] += dirty
        for below in range(i + 1, len(self.levels)):
            left = []
            if x not in self.levels[below]:
                left = self.put(below, x, size)
            if left is not None:
                self.coalesced += self.levels[below][x][1]
                self.levels[below][x][1] = dirty
                self.counts[below]["writeback"] += dirty
                self.gone(below, left)
                return
        self.backing += dirty

    def serve(self, x, size):
        """Brings x up; where it was."""
        at = self.find(x)
        if self.inclusion == "exclusive":
            if at == 0:
                self.levels[0][x] = self.levels[0].pop(x)
                return at
            for i in range(len(self.levels) if at is None else at):
                left = self.put(i, x, size)
                if left is None:
                    continue
                self.counts[i]["fill"] += size
                if at is not None:
                    self.levels[i][x][1] = self.levels[at].pop(x)[1]
                self.gone(i, left)
                return at
            if at is not None:
                self.levels[at][x] = self.levels[at].pop(x)
            return at
        if at is not None:
            self.levels[at][x] = self.levels[at].pop(x)
        for i in reversed(range(len(self.levels) if at is None else at)):
            if self.inclusion == "inclusive" and i + 1 < len(self.levels) and x not in self.levels[i + 1]:
                break
            left = self.put(i, x, size)
            if left is not None:
                self.counts[i]["fill"] += size
                self.gone(i, left)
        return at

    def read(self, x, size):
        at = self.find(x)
        if at is not None:
            self.counts[at]["read"] += size
        self.serve(x, size)
        self.hits[len(self.levels) if at is None else at] += 1

    def write(self, x, size):
        self.serve(x, size)
        self.written += size
        at = self.find(x)
        if self.through:
            for i, level in enumerate(self.levels):
                if x in level:
                    self.counts[i]["store"] += size
            self.backing += size
        elif at is None:
            self.backing += size
        else:
            self.coalesced += self.levels[at][x][1]
            self.levels[at][x][1] = size
            self.counts[at]["store"] += size

    def flush(self):
        for x in sorted({x for level in self.levels for x in level}):
            newest = True
            for i, level in enumerate(self.levels):
                if x not in level or not level[x][1]:
                    continue
                dirty, level[x][1] = level[x][1], 0
                if newest:
                    self.backing += dirty
                    self.flushed += dirty
                    self.counts[i]["read"] += dirty
                else:
                    self.coalesced += dirty
                newest = False


def run(capacities, inclusion, through, sized, writes):
    levels, draws = Levels(capacities, inclusion, through), Draws(99)
    for x in trace(7, 6000):
        if draws.bits() % 3 == 0 and writes:
            levels.write(x, size_of(x, sized))
        else:
            levels.read(x, size_of(x, sized))
    levels.flush()
    assert levels.written == levels.coalesced + levels.backing
    return {"capacities": capacities, "inclusion": inclusion, "through": through, "sized": sized, "writes": writes, "hits": levels.hits, "levels": levels.counts,
            "written": levels.written, "coalesced": levels.coalesced, "backing": levels.backing, "flushed": levels.flushed}


def main():
    runs = []
    for inclusion in ("inclusive", "exclusive", "non-inclusive"):
        for through in (False, True):
            for writes in (False, True):
                if through and not writes:
                    continue
                # The last two: a level smaller than the largest objects, and one that is larger than the level below it.
                for capacities, sized in (([20, 80, 200], False), ([100], False), ([300, 1500, 5000], True), ([40, 2000], True), ([1500, 300], True)):
                    runs.append(run(capacities, inclusion, through, sized, writes))
    path = pathlib.Path(__file__).with_name("hierarchy_golden.json")
    path.write_text(json.dumps(runs, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
