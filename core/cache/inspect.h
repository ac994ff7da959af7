// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// One policy at one size, over time, and what became of what it evicted.
#include "core/cache/simulate.h"
#include "core/report/cache_size_report.h"

namespace tamis::cache {

struct InspectSettings {
    std::uint64_t warmUp = 0; ///< requests
    int windows = 200;        ///< at most, 1 at least
    std::uint64_t seed = 0;
    CapacityRules rules{};    ///< of a policy that does not know the future
};

/// `next`: from nextRequests(), or empty: found here. Throws Error{InvalidParameter (a policy that is not there, its parameters, a size or windows out of range, rules that contradict one another,
/// `next` of another length), Cancelled}. A first answer long before this one: rough_inspection.h.
report::CacheSizeReport inspectSize(const Trace& trace, std::span<const std::uint32_t> next, const Configuration& configuration, std::uint64_t size, const InspectSettings& settings,
                                    const RunContext& context);

} // namespace tamis::cache
