// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A cache request by request: what lies where, and why what left did.
#include "core/cache/simulate.h"
#include "core/report/cache_size_report.h"

namespace tamis::cache {

struct StepSettings {
    std::uint64_t first = 0; ///< request; those before it fill the cache
    std::uint64_t count = 200; ///< requests from there, fewer where the trace ends; 100,000 at most
    std::uint64_t seed = 0;
    CapacityRules rules{};   ///< of a policy that does not know the future
};

/// `next`: from nextRequests(), or empty: found here. At the start objects lie in the policy's own order; a newcomer takes the first cell that is free. An object that is evicted by
/// its own request, or passes by, has no cell. Throws Error{InvalidParameter (a policy that is not there, its parameters, the size, rules that contradict one another, `first` behind the trace, too many requests,
/// `next` of another length), Cancelled}.
report::CacheStepReport playSteps(const Trace& trace, std::span<const std::uint32_t> next, const Configuration& configuration, std::uint64_t size, const StepSettings& settings,
                                  const RunContext& context);

} // namespace tamis::cache
