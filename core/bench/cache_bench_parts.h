// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The parts of the cache bench. Private to core/bench.
#include "core/bench/cache_bench.h"

#include <chrono>
#include <ctime>
#include <limits>

namespace tamis::bench {

inline constexpr double kNoFigure = std::numeric_limits<double>::quiet_NaN();

template <class Function> double wallSeconds(Function&& function)
{
    const auto start = std::chrono::steady_clock::now();
    function();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Of the calling thread's processor: other work on the machine does not count as ours, or as the peer's.
template <class Function> double processorSeconds(Function&& function)
{
    const auto now = [] {
        timespec time{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
    };
    const double start = now();
    function();
    return now() - start;
}

/// An entry against a goal that is a figure, not a program.
inline BenchResult againstGoal(const std::string& name, double seconds, double goal, const std::string& note)
{
    return {.name = name, .oursSeconds = seconds, .peerSeconds = goal, .peerName = "none: the lab's goal", .ratio = goal / seconds, .unit = "s", .boundFraction = kNoFigure, .note = note};
}

std::vector<BenchResult> benchCacheRates(const RunContext& context, const CacheBenchInputs& inputs);
std::vector<BenchResult> benchCacheCurves(const RunContext& context, const CacheBenchInputs& inputs);
std::vector<BenchResult> benchCacheStream(const RunContext& context, const CacheBenchInputs& inputs);

} // namespace tamis::bench
