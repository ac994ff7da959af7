// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Requests a second of simulated caches, curves of many sizes, traces larger than memory.
#include "core/bench/bench.h"

#include <cstdint>
#include <filesystem>

namespace tamis::bench {

struct CacheBenchInputs {
    std::size_t requests = 10'000'000, objects = 1'000'000; ///< Zipf(1.0)
    std::uint64_t capacity = 100'000, small = 10'000;       ///< objects
    std::size_t curveRequests = 1'000'000, curveObjects = 200'000;
    int sizes = 20;
    std::size_t streamed = 0;        ///< requests of a file of 8 bytes each; 0: 100,000,000 where a directory is given, 10,000,000 otherwise
    bool streamAlone = false;        ///< nothing but that file
    std::filesystem::path directory; ///< where that file is written and removed; empty: the system's place
};

/// Policies of the lab on one thread, in seconds of its processor, from 64-bit ids in memory to counts: the number of each id is looked up in the same pass, as a simulator that is given ids must. What the lookup takes
/// alone, and a policy on numbers, is in the notes. Peers: libCacheSim's own figures on a machine of this kind, as constants (no run of it here), and, in this run, a list and a hash map of
/// the standard library. Then 20 sizes of 10 policies, exactly, on samples, to the first curve and to a stop, against the lab's goals; last a file that is streamed. Two minutes or three.
/// Throws Error{IoFailure, OutOfMemory, InvalidParameter (the peer counted other hits), Cancelled}.
std::vector<BenchResult> benchCache(const RunContext& context, const CacheBenchInputs& inputs = {});

} // namespace tamis::bench
