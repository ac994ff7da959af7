// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// One policy at one size over a whole trace, what the trace is like whatever the policy, and a cache request by request. Plain values.
#include "core/base/parameter_schema.h"
#include "core/report/model_report.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::report {

/// A stretch of the trace.
struct HitWindow {
    std::uint64_t first = 0; ///< request
    std::uint64_t requests = 0, hits = 0, bytes = 0, hitBytes = 0;
    std::uint64_t sceneChanges = 0; ///< that the rule of scene changes acted on
};

/// What left, and whether it was wanted again. The warm-up is not counted.
struct EvictionOutcome {
    std::uint64_t evictions = 0;
    std::uint64_t neverWanted = 0;              ///< did not come again: rightly evicted
    std::vector<std::uint64_t> wantedAfter;     ///< [i] came again 2^i .. 2^(i+1) - 1 requests after it left
    std::uint64_t neverUsed = 0;                ///< left without a hit since it entered: taken in for nothing
};

struct CacheSizeReport {
    std::string trace, policy, title, settings;
    Parameters parameters;
    std::uint64_t size = 0, warmUp = 0;
    bool sized = false, exact = true;           ///< not exact: a first answer from some of the objects, scaled
    std::string rules{};                        ///< of capacity, in words; empty: none
    std::uint64_t requests = 0, hits = 0, bytes = 0, hitBytes = 0; ///< behind the warm-up
    std::vector<HitWindow> windows;             ///< the whole trace, the warm-up too, in equal stretches
    std::vector<HitWindow> unwatched{};         ///< [windows] with the same rules but for scene changes; empty: there is no such rule
    std::uint64_t unwatchedHits = 0, unwatchedHitBytes = 0; ///< behind the warm-up; 0 without such a rule
    EvictionOutcome evicted;
    std::uint64_t held = 0, stateBytes = 0;     ///< objects at the end; what bookkeeping took then
    double seconds = 0;
};

/// Of the trace alone.
struct TraceReport {
    std::string trace;
    std::uint64_t requests = 0, objects = 0;
    /// Reuse distances (different objects since the last request of the same one) over time: counts[column * distanceBins + bin]; bin b holds
    /// distances 2^b .. 2^(b+1) - 1; first requests are in `first`.
    int columns = 0, distanceBins = 0;
    std::vector<std::uint64_t> counts, first;   ///< [columns x distanceBins], [columns]
    std::uint64_t requestsPerColumn = 0;
    /// Popularity: requests of the object of each rank, the most wanted first, at ranks evenly on a logarithmic scale.
    std::vector<std::uint64_t> ranks, rankRequests;
    double zipfExponent = kNotMeasured;         ///< maximum likelihood over all ranks
    double zipfDistance = kNotMeasured;         ///< Kolmogorov-Smirnov distance of the fit from the counts: 0 is perfect
    double seconds = 0;
};

/// Why an object left, in numbers that every policy shares.
struct StepEviction {
    std::uint32_t object = 0;
    int cell = -1;                              ///< where it lay
    std::string why;                            ///< "least recently requested of the 8 held, 14 requests ago"
    std::int64_t wantedIn = -1;                 ///< requests until it comes again; -1: never
};

struct CacheStep {
    std::uint64_t request = 0;                  ///< its place in the trace
    std::uint32_t object = 0, size = 1;
    bool hit = false, bypassed = false;
    int cell = -1;                              ///< where the object lies behind this request; -1: not held
    std::vector<StepEviction> evicted;
};

/// A stretch of a trace through a small cache, to be played forward and back. An object keeps its cell as long as it stays.
struct CacheStepReport {
    std::string trace, policy, title, settings;
    Parameters parameters;
    std::string rules{};                        ///< of capacity, in words; empty: none
    std::uint64_t size = 0, first = 0;          ///< `first`: the request at which the stretch begins; the cache was filled by those before
    int cells = 0;                              ///< as many as were ever held at once
    std::vector<std::uint32_t> start;           ///< [cells] objects before the first step; 0xFFFFFFFF: free
    std::vector<CacheStep> steps;
    std::vector<std::string> names;             ///< [objects that occur here, by object number] ids as the file has them; by binary search in `named`
    std::vector<std::uint32_t> named;           ///< object numbers, ascending
};

} // namespace tamis::report
