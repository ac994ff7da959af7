// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What token reduction buys in time, beside what its multiply-adds promise.
#include "core/bench/bench.h"

#include <cstdint>

namespace tamis::bench {

struct TokensBenchInputs {
    std::int64_t width = 768, depth = 12, heads = 12, patch = 16, image = 224; ///< ViT-B/16
    std::int64_t batch = 8;
    std::int64_t merged = 13; ///< a block
    int rounds = 5;
};

/// A random vision transformer, whole and with ToMe's `merged` tokens a block, passes in turn, the best of each; the same schedule in PyTorch
/// (without it the peer is NaN and its name says why); and the choice of tokens alone. The notes give the speed-up, what the MACs promise and
/// the share of it that is kept, and what choosing costs of a block. Half a minute at full size. Throws Error{InvalidParameter (sides that do not divide), Cancelled}.
std::vector<BenchResult> benchTokens(const RunContext& context, const TokensBenchInputs& inputs = {});

} // namespace tamis::bench
