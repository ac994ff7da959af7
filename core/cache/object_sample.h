// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A trace of some of the objects, all requests of each: a small cache behaves on it as a large one on the whole.
#include "core/base/run_context.h"
#include "core/cache/trace.h"

#include <cstdint>

namespace tamis::cache {

/// Requests of the objects whose hash falls below `rate` (Waldspurger et al. 2015, SHARDS, fixed rate); object numbers are new. Another salt,
/// another choice. `kept` of the sampled requests lie behind the first `warmUp` of the whole.
struct ObjectSample {
    Trace trace;
    std::uint64_t warmUp = 0; ///< of the sample's requests: those before the whole's warm-up ended
};
ObjectSample sampleObjects(const Trace& trace, double rate, std::uint64_t salt, std::uint64_t warmUp, const RunContext& context);

} // namespace tamis::cache
