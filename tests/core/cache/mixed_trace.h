// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The trace of tests/golden/make_cache_golden.py, bit for bit.
#include "core/base/split_mix.h"
#include "core/cache/trace.h"

#include <algorithm>

inline tamis::cache::Trace mixedTrace(std::uint64_t seed, std::size_t requests, bool sized)
{
    std::uint64_t state = seed, loop = 0, once = 10'000;
    tamis::cache::Trace trace;
    tamis::cache::ObjectNumbers numbers;
    for (std::size_t i = 0; i < requests; ++i) {
        const std::uint64_t kind = tamis::nextBits(state) % 10;
        std::uint64_t id = 0;
        if (kind < 5) {
            const std::uint64_t a = tamis::nextBits(state) % 300, b = tamis::nextBits(state) % 300;
            id = std::min(a, b);
        } else if (kind < 8) {
            id = 1000 + loop;
            loop = (loop + 1) % 150;
        } else {
            id = once++;
        }
        trace.objects.push_back(numbers.of(id));
        if (sized)
            trace.sizes.push_back(static_cast<std::uint32_t>(1 + id * 2654435761U % 64));
    }
    trace.ids = numbers.takeIds();
    return trace;
}
