// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Why the sum of a token's own row of the attention is no score: measured for one image, beside the column, which is one.
#include "core/nn/model.h"
#include "core/report/token_report.h"

#include <span>
#include <vector>

namespace tamis::tokens {

/// Of one block, all heads.
struct AttentionSums {
    double leastRowSum = 1, mostRowSum = 1;     ///< of the queries' rows, sums in double
    double furthestRowSum() const;              ///< largest |sum of a query's row - 1|
    double leastReceived = 0, mostReceived = 0; ///< of the tokens' columns, mean over heads and queries: 1 / tokens on the average
};

/// [blocks] of the whole model. Throws as Model::run, and Error{UnsupportedFeature} for attention in windows.
std::vector<AttentionSums> attentionSums(const nn::Model& model, const nn::Sample& sample, nn::Scratch& scratch);
/// Over all of them; at least one.
report::AttentionRange rangeOf(std::span<const AttentionSums> blocks);

} // namespace tamis::tokens
