// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Attention rollout (Abnar and Zuidema 2020) through tokens that are merged and pruned on the way.
#include "core/tokens/reduction.h"

#include <vector>

namespace tamis::tokens {

/// Rows over the source tokens; each sums to 1.
class Rollout {
public:
    explicit Rollout(const TokenSet& set);
    /// R <- (A / 2 + I / 2) R with A the mean over heads of this block's attention.
    void follow(const nn::Block& layer, const nn::AttentionInput& input, nn::Scratch& scratch);
    /// Rows go where their tokens go: means by the assignment's weights, of sums too.
    void reduce(const Assignment& assignment, const std::vector<float>& sizes);
    const tensor::Matrix<float>& rows() const noexcept { return m_rows; }

private:
    tensor::Matrix<float> m_rows; ///< [tokens, source tokens]
};

} // namespace tamis::tokens
