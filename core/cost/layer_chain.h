// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The steps of a forward pass in execution order, with the buffers that they read and write. One description gives both the
// traffic of every step and the life of every buffer.
#include "core/cost/liveness.h"
#include "core/cost/model_cost.h"

#include <string>
#include <vector>

namespace tamis::cost {

struct LayerChain {
    std::int64_t tokens = 0; ///< that enter the first block
    std::vector<report::LayerCost> layers; ///< without intensity and milliseconds
    std::vector<LiveBuffer> buffers;
    std::vector<std::string> warnings;
};

/// Throws Error{InvalidParameter, LimitExceeded}.
LayerChain layerChain(const nn::ModelSpec& spec, const CostOptions& options);

/// Pairs of a query and a key that it sees, over all windows and one head.
std::uint64_t attentionPairs(const nn::BlockSpec& block, std::int64_t tokens);

/// a b c ..., all at least 0. Throws Error{LimitExceeded} when it does not fit 64 bits.
std::uint64_t countOf(std::initializer_list<std::int64_t> factors);

} // namespace tamis::cost
