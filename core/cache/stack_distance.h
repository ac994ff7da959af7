// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// How many different objects came between two requests of one: the hits of least recently used at every size in one pass.
#include "core/base/run_context.h"
#include "core/cache/policy.h"

#include <cstdint>
#include <vector>

namespace tamis::cache {

/// Counts of requests by the place of their object in the order of recency, 1 for the most recent (Mattson, Gecsei, Slutz, Traiger 1970).
struct StackDistances {
    std::vector<std::uint64_t> counts; ///< [d - 1] requests at distance d
    std::uint64_t first = 0;           ///< requests of objects that had not come before
    std::uint64_t requests = 0;
    /// Hits of a cache of so many objects, all of one size.
    std::uint64_t hits(std::uint64_t objects) const noexcept;
};

/// Unit sizes. The first `warmUp` requests order the objects, but are not counted. O(requests x log objects) by a RecencyOrder (core/base).
/// Throws Error{Cancelled, LimitExceeded (objects), OutOfMemory}.
StackDistances stackDistances(std::span<const std::uint32_t> objects, std::size_t objectCount, std::uint64_t warmUp, const RunContext& context);

} // namespace tamis::cache
