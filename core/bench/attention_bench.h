// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Exact attention in tiles against PyTorch, and scores of bytes against those of floats.
#include "core/bench/bench.h"

#include <cstdint>

namespace tamis::bench {

struct AttentionBenchInputs {
    std::int64_t heads = 12, headDim = 64;
    std::vector<std::int64_t> tokens{197, 4096}; ///< of exact attention
    std::int64_t scoreTokens = 4096;             ///< of the products q k^T
    int rounds = 5;
};

/// Of each size exact attention in tiles, all heads, against PyTorch's scaled_dot_product_attention (in the form that its version has) and against
/// softmax(q k^T) v written out in PyTorch, bytes of both in the notes; then q k^T in 8 bits (codes made anew each time) against the faster of our
/// floats and BLAS, all into one block of scores that stays in the cache. Best of rounds before and after the peer; in turn where both are
/// ours. Without PyTorch the peer is NaN and its name says why. Throws Error{InvalidParameter (sizes below 1), Cancelled}.
std::vector<BenchResult> benchAttention(const RunContext& context, const AttentionBenchInputs& inputs = {});

} // namespace tamis::bench
