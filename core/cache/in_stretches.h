// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A loop over requests that hears a stop soon, whatever a request costs. Private to the lab.
#include "core/base/run_context.h"

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace tamis::cache {

/// Calls body(first, end) for stretches of [from, count), none across `cut`: 2048 requests long, fewer where they take more than 5 ms, 64 at least. Looks for a stop before each. Throws
/// Error{Cancelled}.
template <class Body> void inStretches(std::size_t from, std::size_t count, std::size_t cut, const RunContext& context, Body&& body)
{
    using Clock = std::chrono::steady_clock;
    constexpr std::size_t kMost = 2048, kLeast = 64;
    constexpr auto kLong = std::chrono::milliseconds(5);
    for (std::size_t first = from, length = kMost / 8; first < count;) {
        context.throwIfStopped();
        const auto start = Clock::now();
        const std::size_t end = first < cut ? std::min({first + length, cut, count}) : std::min(first + length, count);
        body(first, end);
        first = end;
        length = Clock::now() - start > kLong ? std::max(length / 2, kLeast) : std::min(2 * length, kMost);
    }
}

} // namespace tamis::cache
