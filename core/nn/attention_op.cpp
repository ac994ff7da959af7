// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/nn/attention_op.h"

#include "core/nn/model_spec.h"

#include <algorithm>

namespace tamis::nn {

namespace {
class ExactAttention final : public AttentionOp {
public:
    explicit ExactAttention(const AttentionSpec& spec)
        : m_shape{spec.heads, spec.keyValueHeads, spec.headDim, spec.scale, spec.causal, spec.slidingWindow}
    {
    }
    std::string_view kind() const noexcept override { return "exact"; }
    std::int64_t heads() const noexcept override { return m_shape.heads; }
    std::int64_t headDim() const noexcept override { return m_shape.headDim; }
    AttentionCost cost(std::int64_t tokens) const noexcept override
    {
        std::uint64_t pairs = 0; // (query, key) that are computed
        for (std::int64_t i = 0; i < tokens; ++i) {
            const std::int64_t seen = m_shape.causal ? i + 1 : tokens;
            pairs += static_cast<std::uint64_t>(m_shape.slidingWindow > 0 && m_shape.causal ? std::min(seen, m_shape.slidingWindow) : seen);
        }
        return {0, 2 * pairs * static_cast<std::uint64_t>(m_shape.heads * m_shape.headDim), 0};
    }
    void apply(const AttentionInput& input, kernels::Rows out, Scratch& scratch) const override
    {
        kernels::softmaxAttention(shapeFor(input), input.q, input.k, input.v, out, scratch.parallel(), scratch.context());
    }
    std::int64_t maps(std::int64_t) const noexcept override { return 1; }
    std::int64_t mapTokens(std::int64_t tokens) const noexcept override { return tokens; }
    tensor::Matrix<float> map(const AttentionInput& input, std::int64_t head, std::int64_t, const RunContext& context) const override
    {
        tensor::Matrix<float> probabilities(input.q.rows, input.k.rows);
        kernels::attentionProbabilities(shapeFor(input), input.q, input.k, head, probabilities.view(), context);
        return probabilities;
    }

private:
    kernels::AttentionShape shapeFor(const AttentionInput& input) const noexcept
    {
        kernels::AttentionShape shape = m_shape;
        shape.bias = input.keyBias; // strides 0: one row for all queries of all heads
        return shape;
    }
    kernels::AttentionShape m_shape;
};
} // namespace

AttentionPtr exactAttention(const AttentionSpec& spec)
{
    return std::make_shared<ExactAttention>(spec);
}

} // namespace tamis::nn
