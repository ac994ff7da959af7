// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// softmax(scale Q K^T + bias) V by online softmax over key blocks: the N x N matrix is never formed.
#include "core/base/run_context.h"
#include "core/kernels/packed_matrix.h"

namespace tamis::kernels {

struct AttentionShape {
    std::int64_t heads = 1, keyValueHeads = 1, headDim = 1; ///< heads is a multiple of keyValueHeads
    float scale = 1;
    bool causal = false;             ///< query i sees keys 0 .. i + keys - queries
    std::int64_t slidingWindow = 0;  ///< with causal: query i sees the last `slidingWindow` of them, itself included; 0: all
    /// Added to the scores before the softmax: bias[head * biasHeadStride + i * biasRowStride + j]; null: none.
    const float* bias = nullptr;
    std::int64_t biasHeadStride = 0, biasRowStride = 0;
};

/// q [queries, heads * headDim], k and v [keys, keyValueHeads * headDim], out as q; heads side by side in a row.
void softmaxAttention(const AttentionShape& shape, ConstRows q, ConstRows k, ConstRows v, Rows out, bool parallel);
/// The same; throws Error{Cancelled} between tiles.
void softmaxAttention(const AttentionShape& shape, ConstRows q, ConstRows k, ConstRows v, Rows out, bool parallel, const RunContext& context);

/// The probabilities of one head, [queries, keys], by the same formula: what maps and map errors are drawn from. Throws
/// Error{Cancelled} between a few queries and the next.
void attentionProbabilities(const AttentionShape& shape, ConstRows q, ConstRows k, std::int64_t head, Rows probabilities, const RunContext& context = {});

} // namespace tamis::kernels
