// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// One policy at one size, in time for a hand that drags the size: from some of the objects, or from stretches of the trace, without a walk over all requests.
#include "core/cache/inspect.h"

#include <optional>

namespace tamis::cache {

/// What a first answer reads in place of a long trace. Immutable, of one trace.
struct ThinnedTrace {
    double rate = 1;                     ///< share of the objects, chosen by hash as in ObjectSample; 1: all
    std::vector<std::uint32_t> requests; ///< of these objects, ascending; empty where the rate is 1
    double meanSize = 1;                 ///< of all objects; bytes, 1 without sizes
};
/// Of about sqrt(50,000 x requests) requests: a sample of 50,000 is found in them, or in a stretch of the trace that is no longer. Throws Error{Cancelled}.
ThinnedTrace thinnedTrace(const Trace& trace, const RunContext& context);

/// About `requests` requests are simulated, in a cache that is as much smaller as there are fewer objects. A sample of the objects over the whole trace where such a cache
/// still holds 60 objects (SHARDS, Waldspurger et al. 2015, misses scaled as in missRatioCurves()). Smaller caches: a larger share of the objects, on 2 to 20 stretches of the trace, the first third of
/// each of which fills the cache and is not counted; windows are then as many as stretches. Hits, evictions and what is held are scaled to the whole, `exact` is false.
/// What was seen until `context` is stopped is the answer, with the windows that were reached. Nothing: nothing was counted until then, or a trace of fewer than twice as many requests, or a rule that
/// looks for changes of scene on stretches. `next`: from nextRequests(). Throws Error{InvalidParameter} as inspectSize().
std::optional<report::CacheSizeReport> inspectRoughly(const Trace& trace, std::span<const std::uint32_t> next, const ThinnedTrace& thinned, const Configuration& configuration, std::uint64_t size,
                                                      const InspectSettings& settings, std::size_t requests, const RunContext& context);

} // namespace tamis::cache
