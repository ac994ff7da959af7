// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Attention with scores, and if asked the mixing as well, from small whole numbers. Scores: codes of q and k, x = s code with s = max |x| / 127
// (4 bits: / 7) over a tensor (one head), a token or a block of tokens, halves away from 0. Mixing in 8 bits: weights as unsigned codes of
// 255 2^(score - greatest), values as signed ones with a scale for each feature. Source: SageAttention (Zhang et al. 2024).
//
// A row of q, k or v that is not finite is in no scale. A query with such a q, or that sees such a key or value, gets no numbers; others do not
// see it. A query whose scores are all minus infinity gets zeros.
#include "core/base/run_context.h"
#include "core/kernels/attention_kernel.h"

#include <cstdint>
#include <functional>
#include <span>

namespace tamis::kernels {

enum class ScaleOf { Tensor, Token, Block };

struct QuantisedScheme {
    int scoreBits = 8; ///< 32 (floats), 8 or 4
    int valueBits = 32; ///< 32 or 8
    ScaleOf scaleOf = ScaleOf::Block;
    std::int64_t queryBlock = 128, keyBlock = 64; ///< tokens with one scale, from the first token on
    bool smoothKeys = true;  ///< the mean of a head's keys is taken from each: exact, for it adds the same to all scores of a query
};

/// Keys whose weights are coded together, in the order of the tokens: their codes are relative to the greatest score up to their end.
inline constexpr std::int64_t kCodedKeys = 256;

/// Floats that one worker holds: linear in the keys.
std::size_t quantisedAttentionFloats(const AttentionShape& shape, const QuantisedScheme& scheme, std::int64_t queries, std::int64_t keys);
std::size_t quantisedAttentionWorkers(const AttentionShape& shape, std::int64_t queries, bool parallel);

/// As tiledAttention(). Throws Error{InvalidParameter} for other bits, blocks below 1, heads of more than 65536 features, shapes
/// that disagree; Error{Cancelled}.
void quantisedAttention(const AttentionShape& shape, const QuantisedScheme& scheme, ConstRows q, ConstRows k, ConstRows v, Rows out, std::size_t workers,
                        std::span<float> buffer, const RunContext& context);
/// The weights of one head as they mix the values, [queries, keys]; rows sum to 1. Throws as quantisedAttention().
void quantisedProbabilities(const AttentionShape& shape, const QuantisedScheme& scheme, ConstRows q, ConstRows k, std::int64_t head, Rows probabilities, const RunContext& context = {});
/// Scores of some queries against some keys, as they lie in a worker's buffer.
struct ScoreBlock {
    std::int64_t firstQuery, queries, firstKey, keys;
    const float* scores; ///< [queries, keys]
    std::int64_t stride;
};
/// scale q k^T of one head, block after block in `buffer` of quantisedAttentionFloats(): what its products alone cost. Codes (scoreBits 32: panels)
/// are made once. Without masks and bias. Throws as quantisedAttention().
void scoreBlocks(const AttentionShape& shape, const QuantisedScheme& scheme, ConstRows q, ConstRows k, std::int64_t head, std::span<float> buffer,
                 const std::function<void(const ScoreBlock&)>& visit);
/// scale q k^T of one head by its codes, [queries, keys], without smoothing's row constant, masks and bias: the same bits on every instruction set.
void quantisedScores(const AttentionShape& shape, const QuantisedScheme& scheme, ConstRows q, ConstRows k, std::int64_t head, Rows scores);

} // namespace tamis::kernels
