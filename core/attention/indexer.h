// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Tokens that a small index points to. Source: DeepSeek-AI 2025, DeepSeek-V3.2-Exp (sparse attention with a lightning indexer). There the index is
// learned; here it is fitted to samples.
#include "core/attention/block_selector.h"
#include "core/attention/method.h"

namespace tamis::attention {

/// Low-dimensional queries and keys of the index: I(t, s) = sum over heads j of ReLU(q'_tj . k'_s) with q'_tj = query[group of j] q_tj and
/// k'_s = key k_s, k_s all key-value heads side by side.
struct IndexProjection {
    tensor::Matrix<float> query; ///< [key-value heads * r, headDim]: r rows of each group
    tensor::Matrix<float> key;   ///< [r, key-value heads * headDim]
    std::int64_t dim() const noexcept { return key.rows(); }
};

/// The r directions that leave the least sum of (q . k - q' . k')^2 over pairs of the samples' queries and keys drawn apart from one another, all heads:
/// with sum q q^T = A (of each group in its own place, zero elsewhere), sum k k^T = L L^T and eigenvectors V of L^T A L, k' = V_r^T L^-1 k and
/// q' = V_r^T L^T q. In double. Throws Error{InvalidParameter} for no sample or more directions than a token's keys have features,
/// Error{NonFinite} for samples that are no numbers.
IndexProjection fitIndex(const nn::AttentionSpec& spec, const BlockSamples& samples, std::int64_t directions, const RunContext& context = {});

/// One choice of `tokens` keys for all heads of the layer; the query's own token always.
std::shared_ptr<const BlockSelector> indexSelector(const nn::AttentionSpec& spec, IndexProjection projection, std::int64_t tokens);
/// id attention.indexer. Fits to samples.
Method indexerMethod();

} // namespace tamis::attention
