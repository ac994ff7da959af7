#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cache policies written down plainly with lists and dictionaries, and the trace that make_cache_golden.py runs them on."""

MASK = (1 << 64) - 1


class Draws:
    def __init__(self, state):
        self.state = state

    def bits(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)


def trace(seed, requests):
    draws, ids, loop, once = Draws(seed), [], 0, 10_000
    for _ in range(requests):
        kind = draws.bits() % 10
        if kind < 5:  # popular: the smaller of two draws
            ids.append(min(draws.bits() % 300, draws.bits() % 300))
        elif kind < 8:
            ids.append(1000 + loop)
            loop = (loop + 1) % 150
        else:
            ids.append(once)
            once += 1
    return ids


def size_of(identifier, sized):
    return 1 + (identifier * 2654435761 % 64) if sized else 1


class Cache:
    """What is shared: sizes, room, hits."""

    def __init__(self, capacity, sized):
        self.capacity, self.sized, self.used = capacity, sized, 0

    def size(self, x):
        return size_of(x, self.sized)

    def request(self, x):
        if self.touch(x):
            return True
        if self.admits(x):
            while self.used + self.size(x) > self.capacity:
                gone = self.evict()
                self.used -= self.size(gone)
            self.insert(x)
            self.used += self.size(x)
        return False

    def admits(self, x):
        return self.size(x) <= self.capacity


class Fifo(Cache):
    def __init__(self, *a):
        super().__init__(*a)
        self.queue = []

    def touch(self, x):
        return x in self.queue

    def evict(self):
        return self.queue.pop(0)

    def insert(self, x):
        self.queue.append(x)


class Lru(Fifo):
    def touch(self, x):
        if x in self.queue:
            self.queue.remove(x)
            self.queue.append(x)
            return True
        return False


class Mru(Lru):
    def evict(self):
        return self.queue.pop()


class Clock(Fifo):
    """A counter of so many bits: who has used it up has gone round as often as it was requested, 2^bits - 1 times at most."""

    def __init__(self, capacity, sized, bits=1):
        super().__init__(capacity, sized)
        self.bit, self.most = {}, 2 ** bits - 1

    def touch(self, x):
        if x in self.queue:
            self.bit[x] = min(self.bit[x] + 1, self.most)
            return True
        return False

    def evict(self):
        while self.bit[self.queue[0]]:
            x = self.queue.pop(0)
            self.bit[x] -= 1
            self.queue.append(x)
        return self.queue.pop(0)

    def insert(self, x):
        self.bit[x] = 0
        self.queue.append(x)


class Sieve(Clock):
    """The queue's first is the oldest; the hand is the object to look at next, None: the oldest."""

    def __init__(self, *a):
        super().__init__(*a)
        self.hand = None

    def evict(self):
        at = self.queue.index(self.hand) if self.hand is not None else 0
        while self.bit[self.queue[at]]:
            self.bit[self.queue[at]] = 0
            at = (at + 1) % len(self.queue)
        self.hand = self.queue[at + 1] if at + 1 < len(self.queue) else None
        return self.queue.pop(at)


class Lfu(Cache):
    def __init__(self, *a):
        super().__init__(*a)
        self.held, self.turn = {}, 0

    def touch(self, x):
        self.turn += 1
        if x in self.held:
            self.held[x] = (self.held[x][0] + 1, self.turn)
            return True
        return False

    def evict(self):
        x = min(self.held, key=self.held.get)
        del self.held[x]
        return x

    def insert(self, x):
        self.held[x] = (1, self.turn)


class Gdsf(Lfu):
    def __init__(self, *a):
        super().__init__(*a)
        self.age, self.priority = 0.0, {}

    def touch(self, x):
        hit = super().touch(x)
        if hit:
            self.priority[x] = (self.age + 1e6 * self.held[x][0] / self.size(x), self.turn)
        return hit

    def evict(self):
        x = min(self.held, key=self.priority.get)
        self.age = self.priority[x][0]
        del self.held[x]
        return x

    def insert(self, x):
        super().insert(x)
        self.priority[x] = (self.age + 1e6 / self.size(x), self.turn)


class LruK(Cache):
    """O'Neil, O'Neil, Weikum 1993, figure 2.1: HIST and LAST, the correlated reference period, the retained information period."""

    def __init__(self, capacity, sized, k, correlated=0, retained=0):
        super().__init__(capacity, sized)
        self.k, self.hist, self.last, self.held, self.now = k, {}, {}, set(), 0
        self.correlated, self.retained = correlated, retained

    def touch(self, x):
        self.now += 1
        if x in self.held and self.correlated and self.now - self.last[x] <= self.correlated:
            self.last[x] = self.now
            return True
        if x not in self.hist or (x not in self.held and self.retained and self.now - self.last[x] > self.retained):
            self.hist[x] = [0] * self.k
        period = self.last[x] - self.hist[x][0] if x in self.held else 0
        self.hist[x] = [self.now] + [t + period if t else 0 for t in self.hist[x][:-1]]
        self.last[x] = self.now
        return x in self.held

    def evict(self):
        old = [x for x in self.held if self.now - self.last[x] > self.correlated] if self.correlated else list(self.held)
        if old:
            x = min(old, key=lambda x: (self.hist[x][self.k - 1], self.hist[x][0]))
        else:
            x = min(self.held, key=lambda x: self.last[x])
        self.held.remove(x)
        return x

    def insert(self, x):
        self.held.add(x)


class Lirs(Cache):
    """Unit sizes. S from the newest to the oldest: object -> "lir", "hir" (resident) or "gone"; Q from the newest; a hit of Q makes room among LIR."""

    def __init__(self, capacity, sized, hir=0.01):
        super().__init__(capacity, sized)
        self.k_q = max(1, int(self.capacity * hir))
        self.k_lir = self.capacity - self.k_q
        self.s, self.q, self.gone = {}, [], []

    def lirs(self):
        return sum(1 for kind in self.s.values() if kind == "lir")

    def top(self, x, kind):
        self.s.pop(x, None)
        self.s = {x: kind, **self.s}

    def prune(self):
        while len(self.s) > 1 and self.s[list(self.s)[-1]] != "lir":
            x = list(self.s)[-1]
            del self.s[x]
            if x in self.gone:
                self.gone.remove(x)

    def evict_q(self):
        x = self.q.pop()
        if x in self.s:
            self.s[x] = "gone"
            self.gone.insert(0, x)

    def demote(self):
        x = list(self.s)[-1]
        del self.s[x]
        while len(self.q) + 1 > self.k_q:
            self.evict_q()
        self.q.insert(0, x)
        self.prune()

    def request(self, x):
        hit = self.find(x)
        if not hit:
            self.miss(x)
        while len(self.s) > 2 * self.capacity and self.gone:
            del self.s[self.gone.pop()]
        return hit

    def find(self, x):
        queued = x in self.q
        if queued:
            self.q.remove(x)
            self.q.insert(0, x)
        if x not in self.s:
            if queued:
                while self.lirs() + 1 > self.k_lir and self.lirs() and self.q[-1] != x:
                    self.demote()
                self.top(x, "hir")
            return queued
        self.top(x, self.s[x])
        if self.s[x] == "lir":
            self.prune()
            return True
        if not queued:
            return False
        self.q.remove(x)
        while self.lirs() + 1 > self.k_lir and self.lirs():
            self.demote()
        self.top(x, "lir")
        return True

    def miss(self, x):
        if x in self.s:
            if x in self.gone:
                self.gone.remove(x)
            while self.lirs() + 1 > self.k_lir and self.lirs():
                self.demote()
            while self.lirs() + len(self.q) + 1 > self.capacity and self.q:
                self.evict_q()
            self.top(x, "lir")
        elif self.lirs() + 1 <= self.k_lir:
            self.top(x, "lir")
        else:
            while len(self.q) + 1 > self.k_q:
                self.evict_q()
            self.top(x, "hir")
            self.q.insert(0, x)


def mixed(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class TinyLfu(Cache):
    """Window, probation, protected; counts of four bits by the hash of core/cache/count_sketch.h; the window climbs. Unit sizes; `capacity` + 1
    objects are what the policy takes a cache to hold."""

    def __init__(self, capacity, sized, climb=True, window=0.01, protected=0.8):
        super().__init__(capacity, sized)
        holds = capacity + 1
        words = 8
        while words < holds // 4:
            words *= 2
        self.counts, self.lines, self.period, self.additions = {}, words // 8, 10 * holds, 0
        self.numbers, self.window, self.probation, self.protected = {}, [], [], []
        self.share, self.of_protected, self.climb = window, protected, climb
        self.set_window()
        self.every, self.step, self.before, self.requests, self.hits = 10 * max(holds, 100), 0.0625, None, 0, 0

    def set_window(self):
        self.k_window = min(max(int(self.capacity * self.share), 1), self.capacity)
        self.k_protected = int((self.capacity - self.k_window) * self.of_protected)

    def places(self, x):
        h = mixed(x)
        line = (h >> 32) & (self.lines - 1)
        return [(line * 8 + row * 2 + ((h >> (4 * row)) & 1), (h >> (4 * row + 16)) & 15) for row in range(4)]

    def add(self, x):
        added = False
        for place in self.places(x):
            if self.counts.get(place, 0) < 15:
                self.counts[place] = self.counts.get(place, 0) + 1
                added = True
        if added:
            self.additions += 1
            if self.additions == self.period:
                self.counts = {place: count // 2 for place, count in self.counts.items()}
                self.additions //= 2

    def estimate(self, x):
        return min(self.counts.get(place, 0) for place in self.places(x))

    def request(self, identifier):
        x = self.numbers.setdefault(identifier, len(self.numbers))
        self.add(x)
        hit = True
        if x in self.window or x in self.protected:
            part = self.window if x in self.window else self.protected
            part.remove(x)
            part.append(x)
        elif x in self.probation:
            self.probation.remove(x)
            self.protected.append(x)
            while len(self.protected) > self.k_protected:
                self.probation.append(self.protected.pop(0))
        else:
            hit = False
            self.window.append(x)
            self.settle()
        if self.climb:
            self.climbed(hit)
        return hit

    def settle(self):
        while len(self.window) > self.k_window:
            x, room, count = self.window[0], self.capacity - self.k_window, self.estimate(self.window[0])
            self.window.pop(0)
            admitted = room >= 1
            while admitted and len(self.probation) + len(self.protected) + 1 > room:
                other = (self.probation or self.protected)[0]
                if count <= self.estimate(other):
                    admitted = False
                else:
                    (self.probation or self.protected).pop(0)
            if admitted:
                self.probation.append(x)
        while len(self.window) + len(self.probation) + len(self.protected) > self.capacity:
            (self.probation or self.protected or self.window).pop(0)

    def climbed(self, hit):
        self.hits += hit
        self.requests += 1
        if self.requests < self.every:
            return
        ratio = self.hits / self.requests
        if self.before is not None:
            change = ratio - self.before
            if change < 0:
                self.step = -self.step
            self.step = (0.0625 if self.step >= 0 else -0.0625) if abs(change) >= 0.05 else self.step * 0.98
        self.before, self.requests, self.hits = ratio, 0, 0
        self.share = min(max(self.share + self.step, 0.0), 0.8)
        self.set_window()
        self.settle()


class TwoQ(Cache):
    def __init__(self, capacity, sized, newcomers=0.25, remembered=0.5):
        super().__init__(capacity, sized)
        self.a_in, self.a_out, self.a_m = [], [], []
        self.k_in, self.k_out = int(capacity * newcomers), int(capacity * remembered)

    def bytes(self, xs):
        return sum(self.size(x) for x in xs)

    def touch(self, x):
        self.back = x in self.a_out
        if self.back:
            self.a_out.remove(x)
        if x in self.a_m:
            self.a_m.remove(x)
            self.a_m.append(x)
        return x in self.a_m or x in self.a_in

    def evict(self):
        if self.bytes(self.a_in) > self.k_in or not self.a_m:
            x = self.a_in.pop(0)
            if self.size(x) <= self.k_out:
                while self.bytes(self.a_out) + self.size(x) > self.k_out:
                    self.a_out.pop(0)
                self.a_out.append(x)
            return x
        return self.a_m.pop(0)

    def insert(self, x):
        (self.a_m if self.back else self.a_in).append(x)


class Arc(Cache):
    """Megiddo and Modha's figure 4, unit sizes; p is real."""

    def __init__(self, *a):
        super().__init__(*a)
        self.t1, self.t2, self.b1, self.b2, self.p = [], [], [], [], 0.0

    def replace(self, in_b2):
        if self.t1 and (len(self.t1) > self.p or (in_b2 and len(self.t1) == self.p)):
            self.b1.append(self.t1.pop(0))
        else:
            self.b2.append(self.t2.pop(0))

    def request(self, x):
        c = self.capacity
        if x in self.t1 or x in self.t2:
            (self.t1 if x in self.t1 else self.t2).remove(x)
            self.t2.append(x)
            return True
        if x in self.b1:
            self.p = min(c, self.p + max(len(self.b2) / len(self.b1), 1))
            self.b1.remove(x)
            self.replace(False)
            self.t2.append(x)
        elif x in self.b2:
            self.p = max(0, self.p - max(len(self.b1) / len(self.b2), 1))
            self.b2.remove(x)
            self.replace(True)
            self.t2.append(x)
        else:
            if len(self.t1) + len(self.b1) == c:
                if len(self.t1) < c:
                    self.b1.pop(0)
                    self.replace(False)
                else:
                    self.t1.pop(0)
            elif len(self.t1) + len(self.b1) + len(self.t2) + len(self.b2) >= c:
                if len(self.t1) + len(self.b1) + len(self.t2) + len(self.b2) == 2 * c:
                    self.b2.pop(0)
                if len(self.t1) + len(self.t2) >= c:
                    self.replace(False)
            self.t1.append(x)
        return False


class S3(Cache):
    def __init__(self, capacity, sized, small=0.1, ghost=0.9, promote=2):
        super().__init__(capacity, sized)
        self.small, self.main, self.ghost, self.count = [], [], [], {}
        self.k_small, self.k_ghost, self.promote = max(1, int(capacity * small)), int(capacity * ghost), promote

    def bytes(self, xs):
        return sum(self.size(x) for x in xs)

    def admits(self, x):
        return self.size(x) <= self.k_small and (self.back or self.size(x) < self.k_small or self.k_small == 1)

    def touch(self, x):
        self.back = x in self.ghost
        if self.back:
            self.ghost.remove(x)
        if x in self.small or x in self.main:
            self.count[x] += 1
            return True
        return False

    def evict(self):
        if self.bytes(self.main) > self.capacity - self.k_small or not self.small:
            return self.evict_main()
        while self.small:
            x = self.small.pop(0)
            if self.count[x] >= self.promote:
                self.count[x] = 0
                self.main.append(x)
                continue
            if self.size(x) <= self.k_ghost:
                while self.bytes(self.ghost) + self.size(x) > self.k_ghost:
                    self.ghost.pop(0)
                self.ghost.append(x)
            return x
        return self.evict_main()

    def evict_main(self):
        while True:
            x = self.main.pop(0)
            if self.count[x] == 0:
                return x
            self.count[x] = min(self.count[x], 3) - 1
            self.main.append(x)

    def insert(self, x):
        self.count[x] = 0
        (self.main if self.back else self.small).append(x)


class Slru(Cache):
    def __init__(self, capacity, sized, segments=4):
        super().__init__(capacity, sized)
        self.segments, self.each = [[] for _ in range(segments)], capacity // segments

    def bytes(self, xs):
        return sum(self.size(x) for x in xs)

    def admits(self, x):
        return self.size(x) <= self.each

    def touch(self, x):
        for i, segment in enumerate(self.segments):
            if x in segment:
                above = min(i + 1, len(self.segments) - 1)
                segment.remove(x)
                self.segments[above].append(x)
                self.sink(above)
                return True
        return False

    def sink(self, i):
        """What a segment cannot hold goes one down, and may push others further."""
        while self.bytes(self.segments[i]) > self.each:
            y = self.segments[i].pop(0)
            if i == 0:
                self.used -= self.size(y)
            else:
                self.segments[i - 1].append(y)
                self.sink(i - 1)

    def evict(self):
        return next(s for s in self.segments if s).pop(0)

    def insert(self, x):
        for segment in self.segments:
            if self.bytes(segment) + self.size(x) <= self.each:
                segment.append(x)
                return
        self.segments[0].append(x)


class Belady(Cache):
    def __init__(self, capacity, sized, ids):
        super().__init__(capacity, sized)
        self.next, seen = [None] * len(ids), {}
        for i in range(len(ids) - 1, -1, -1):
            self.next[i] = seen.get(ids[i], 10 ** 9)
            seen[ids[i]] = i
        self.held, self.now = {}, -1

    def touch(self, x):
        self.now += 1
        if x in self.held:
            self.held[x] = self.next[self.now]
            return True
        return False

    def evict(self):
        x = max(self.held, key=self.held.get)
        del self.held[x]
        return x

    def insert(self, x):
        self.held[x] = self.next[self.now]
