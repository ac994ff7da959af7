// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Policies on a trace: one at one size, and many at many.
#include "core/base/run_context.h"
#include "core/cache/capacity_rules.h"
#include "core/cache/method.h"
#include "core/cache/trace.h"
#include "core/report/cache_report.h"

#include <functional>
#include <string>
#include <vector>

namespace tamis::cache {

struct Configuration {
    std::string method; ///< "cache.lru"
    Parameters parameters;
};

/// Throws Error{InvalidParameter (no such policy, parameters out of range)}. `size` as in CurveSettings; what the policy does not know of the trace
/// (its objects) it is told by simulate().
PolicyPtr policyFor(const Configuration& configuration, const Trace& trace, std::uint64_t size, std::uint64_t seed);
/// Under rules, unless it knows the future. `protectedObjects` as from protectedObjects(). Throws Error{InvalidParameter (rules that contradict one another)} too.
PolicyPtr policyFor(const Configuration& configuration, const Trace& trace, std::uint64_t size, std::uint64_t seed, const CapacityRules& rules, std::vector<bool> protectedObjects);
/// Whether `rules` are asked of it: they are not of what knows the future.
bool obeysRules(const Method& method, const CapacityRules& rules);
/// The method and its complete parameters, "k 2, correlated 0". Throw as policyFor() does.
const Method& methodOf(const Configuration& configuration);
std::string settingsText(const Configuration& configuration);

/// `next`: from nextRequests(), or empty for policies that do not look ahead. The first `warmUp` requests fill the cache, but are not counted. Throws
/// Error{Cancelled}.
Counts simulate(const Trace& trace, std::span<const std::uint32_t> next, Policy& policy, std::uint64_t warmUp, const RunContext& context);

struct CurveSettings {
    std::vector<std::uint64_t> sizes;  ///< ascending, each 1 at least
    std::uint64_t warmUp = 0;          ///< requests
    std::uint64_t seed = 0;
    double rate = 1;                   ///< below 1: of a sample of the objects, caches as much smaller
    int samples = 4;                   ///< with rate < 1: drawn anew, for the deviation between them
    CapacityRules rules;               ///< of every policy that does not know the future
};

/// Sizes as they are usual: `count` of them, evenly on a logarithmic scale, to the working set.
std::vector<std::uint64_t> usualSizes(const Trace& trace, int count);
std::vector<std::uint64_t> usualSizes(std::uint64_t workingSet, int count);

/// Curves in the order of the configurations, sizes in parallel; least recently used without sizes in one pass. `ready` is told of each as soon as
/// it is whole, from the thread that finished it. A failure of one is in its curve. Throws Error{InvalidParameter (no size, a rate out of (0, 1],
/// an unknown policy, rules that contradict one another), Cancelled}.
report::CacheReport missRatioCurves(const Trace& trace, const std::vector<Configuration>& configurations, const CurveSettings& settings, const RunContext& context,
                                    const std::function<void(const report::PolicyCurve&)>& ready = {});

} // namespace tamis::cache
