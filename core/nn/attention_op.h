// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The replaceable attention operator: queries, keys and values in, mixed values out. Immutable, shared between threads.
#include "core/kernels/attention_kernel.h"
#include "core/nn/scratch.h"
#include "core/tensor/matrix.h"

#include <memory>
#include <string_view>

namespace tamis::nn {

/// q [tokens, heads * headDim]; k, v [tokens, keyValueHeads * headDim]; norms and rotary positions already applied.
struct AttentionInput {
    kernels::ConstRows q, k, v;
    /// Values of k and v for a token of zeros (the projections' biases), for operators that pad; null: zeros.
    const float* paddingQuery = nullptr;
    const float* paddingKey = nullptr;
    const float* paddingValue = nullptr;
    /// [tokens] added to the scores of each key, whatever the query and the head (log of a merged token's size); null: nothing.
    /// Operators that cannot throw Error{UnsupportedFeature}.
    const float* keyBias = nullptr;
    /// What q, k and v were projected from, [tokens, width], behind the norm: for operators with gates. No rows: the caller has it not.
    kernels::ConstRows x = {};
};

struct AttentionCost {
    std::uint64_t parameters = 0; ///< bias tables and the like
    std::uint64_t macs = 0;       ///< scores and mixing for one sample
    std::uint64_t liveFloats = 0; ///< peak scratch for one sample
};

class AttentionOp {
public:
    virtual ~AttentionOp() = default;
    virtual std::string_view kind() const noexcept = 0; ///< "exact", "window"
    virtual std::int64_t heads() const noexcept = 0;
    virtual std::int64_t headDim() const noexcept = 0;
    virtual AttentionCost cost(std::int64_t tokens) const noexcept = 0;
    virtual void apply(const AttentionInput& input, kernels::Rows out, Scratch& scratch) const = 0;
    /// Number of maps of one head ("exact": 1; "window": windows), each mapTokens() squared.
    virtual std::int64_t maps(std::int64_t tokens) const noexcept = 0;
    virtual std::int64_t mapTokens(std::int64_t tokens) const noexcept = 0;
    /// Probabilities of one head, [mapTokens, mapTokens], rows sum to 1. Throws Error{Cancelled}.
    virtual tensor::Matrix<float> map(const AttentionInput& input, std::int64_t head, std::int64_t map, const RunContext& context = {}) const = 0;
};

using AttentionPtr = std::shared_ptr<const AttentionOp>;

struct AttentionSpec;
/// Exact softmax attention, causal and sliding-window as the spec says.
AttentionPtr exactAttention(const AttentionSpec& spec);
/// Swin's attention in windows of a grid, cyclically shifted, with the region mask and the relative position bias.
/// `biasTable` is [(2 window - 1)^2, heads] as in the checkpoints.
AttentionPtr windowAttention(const AttentionSpec& spec, std::int64_t gridHeight, std::int64_t gridWidth,
                             tensor::MatrixView<const float> biasTable);

} // namespace tamis::nn
