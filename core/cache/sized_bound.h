// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Hits that no cache of a capacity can pass, whatever the sizes. Every stretch between two requests of an object is kept or not; what is kept must
// fit at all times. Its linear relaxation (the flow of Berger, Beckmann, Harchol-Balter 2018, FOO) is bounded from above by any prices of space over
// time (weak duality): sum of max(0, value - size x price of the stretch) + capacity x all prices. One price for all times is their PFOO-L.
#include "core/cache/method.h"

namespace tamis::cache {

/// Of memory a request: its interval, what it is worth, the prices before it, what is asked for, and the least size of an object at most.
inline constexpr std::uint64_t kBoundBytes = 40;

/// Upper bounds on hits, hit bytes and hit cost, each for itself. `requests.next` as from nextRequests(). An object counts with the least size that it
/// had so far. O(80 requests), kBoundBytes a request. Throws Error{Cancelled}.
Counts sizedBound(const Requests& requests, std::uint64_t capacity, std::uint64_t warmUp, const RunContext& context);

/// id cache.sized-bound.
Method sizedBoundMethod();

} // namespace tamis::cache
