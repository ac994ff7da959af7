// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A stream of requests through levels of caches, with its time, its energy and what fetching ahead is worth.
//
// Time is that of one device that waits for every request. Levels are looked up one after another: a read that level i serves takes
// t1 + .. + ti and the transfer of its bytes from there; one that none serves takes all look-ups and the recomputation. A write takes the first
// level's time: what follows is buffered. Prefetches share one channel and take as long as a read of the same object would; a read that comes
// before its prefetch waits for the rest, but no longer than a read of its own takes. Energy is that of every byte that a level gives or takes, and
// of recomputing.
#include "core/base/run_context.h"
#include "core/hierarchy/level_stack.h"
#include "core/hierarchy/request_stream.h"
#include "core/report/hierarchy_report.h"

namespace tamis::hierarchy {

struct LevelCosts {
    double timeNs = 0, energyPj = 0; ///< a look-up; a byte
    double bandwidth = 1;            ///< bytes a nanosecond (GB/s), above 0
};

struct SimulationSettings {
    std::vector<LevelCosts> costs;      ///< [levels]
    double encodeNs = 0, encodeWatt = 0; ///< of making one object anew; 1 W = 1 nJ/ns
    std::uint32_t objectBytes = 1;      ///< where the stream has no sizes
    const PrefetchTable* prefetch = nullptr; ///< nullptr or empty: none
    bool prefetchMissing = false;       ///< what is in no level is made ahead, too
    std::size_t limit = 0;              ///< first requests alone; 0: all
};

/// Fills what is measured of a report: levels (sized beforehand or not: traffic, hits, times), times, energy, writes, prefetch. Flushes at the end.
/// Throws Error{Cancelled}.
void simulate(const RequestStream& stream, LevelStack& stack, const SimulationSettings& settings, report::HierarchyReport& report, const RunContext& context);

} // namespace tamis::hierarchy
