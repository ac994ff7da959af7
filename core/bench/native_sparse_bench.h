// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/bench/bench.h"

#include <cstdint>
#include <vector>

namespace tamis::bench {

struct NativeSparseBenchInputs {
    std::int64_t heads = 32, keyValueHeads = 4, headDim = 128, context = 16384;
    std::int64_t layers = 6; ///< whose caches are read in turn, as in a model: together more than the processor's caches hold
    int rounds = 5;
};

/// One step of decoding behind `context` tokens, native sparse attention with the paper's settings against exact attention from the same kind of
/// cache by the same tiles, all layers in turn, both in alternation; seconds are of one layer, the best round. The bound is the bytes of keys and values at the
/// bandwidth that the same run measures. Some 0.9 GB and half a minute at full size. Throws Error{InvalidParameter} for shapes that do not divide
/// and should the counted bytes differ from the formula, Error{Cancelled}.
std::vector<BenchResult> benchNativeSparse(const RunContext& context, const NativeSparseBenchInputs& inputs = {});

} // namespace tamis::bench
