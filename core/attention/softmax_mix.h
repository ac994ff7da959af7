// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Exact softmax attention of some queries over some keys, and means over segments of tokens: pieces of several rules. Private to the lab.
#include "core/nn/scratch.h"

#include <cstdint>
#include <span>

namespace tamis::attention {

/// out = softmax(scale q k^T) v, [queries, width]. q [queries, dim], k [keys, dim], v [keys, width]; at least one key.
void mixBySoftmax(float scale, kernels::ConstRows q, kernels::ConstRows k, kernels::ConstRows v, kernels::Rows out, nn::Scratch& scratch);
/// rows = softmax(scale a b^T), [a.rows, b.rows].
void softmaxScores(const RunContext& context, float scale, kernels::ConstRows a, kernels::ConstRows b, kernels::Rows rows);
/// In place, over the scores of one query. A score that is no number makes the whole row none, as in exact attention; where all are -infinity (nothing is seen) the
/// row is 0.
void softmaxOf(std::span<float> scores);
/// Row i of `means` is the mean of rows floor(i n / m) .. floor((i + 1) n / m) - 1 of x [n, cols], for m = means.rows <= n.
void segmentMeans(kernels::ConstRows x, kernels::Rows means);

} // namespace tamis::attention
