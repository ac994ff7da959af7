// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/quantised.h"

#include "core/attention/visible_pairs.h"
#include "core/base/error.h"

namespace tamis::attention {
namespace {
using kernels::QuantisedScheme;
using kernels::Rows;
using kernels::ScaleOf;

class Quantised final : public nn::AttentionOp {
public:
    Quantised(const nn::AttentionSpec& spec, const QuantisedScheme& scheme)
        : m_shape{spec.heads, spec.keyValueHeads, spec.headDim, spec.scale, spec.causal, spec.causal ? spec.slidingWindow : 0}, m_scheme(scheme)
    {
    }
    std::string_view kind() const noexcept override { return "quantised"; }
    std::int64_t heads() const noexcept override { return m_shape.heads; }
    std::int64_t headDim() const noexcept override { return m_shape.headDim; }
    /// As many multiply-adds as exact attention, of bytes.
    nn::AttentionCost cost(std::int64_t tokens) const noexcept override
    {
        return {0, 2 * visiblePairs(m_shape, tokens) * static_cast<std::uint64_t>(m_shape.heads * m_shape.headDim), kernels::quantisedAttentionFloats(m_shape, m_scheme, tokens, tokens)};
    }
    void apply(const nn::AttentionInput& input, Rows out, nn::Scratch& scratch) const override
    {
        const std::size_t workers = kernels::quantisedAttentionWorkers(m_shape, input.q.rows, scratch.parallel());
        const std::size_t floats = kernels::quantisedAttentionFloats(m_shape, m_scheme, input.q.rows, input.k.rows);
        nn::Scratch::Frame frame(scratch);
        const Rows buffer = frame.take(static_cast<std::int64_t>(workers), static_cast<std::int64_t>(floats));
        kernels::quantisedAttention(shapeFor(input), m_scheme, input.q, input.k, input.v, out, workers, {buffer.data, workers * floats}, scratch.context());
    }
    std::int64_t maps(std::int64_t) const noexcept override { return 1; }
    std::int64_t mapTokens(std::int64_t tokens) const noexcept override { return tokens; }
    tensor::Matrix<float> map(const nn::AttentionInput& input, std::int64_t head, std::int64_t, const RunContext& context) const override
    {
        tensor::Matrix<float> probabilities(input.q.rows, input.k.rows);
        kernels::quantisedProbabilities(shapeFor(input), m_scheme, input.q, input.k, head, probabilities.view(), context);
        return probabilities;
    }

private:
    kernels::AttentionShape shapeFor(const nn::AttentionInput& input) const noexcept
    {
        kernels::AttentionShape shape = m_shape;
        shape.bias = input.keyBias; // strides 0: one row for all queries of all heads
        return shape;
    }
    kernels::AttentionShape m_shape;
    QuantisedScheme m_scheme;
};

nn::AttentionPtr quantisedOp(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = quantisedMethod().declaration.schema.complete(given);
    const std::string& scales = parameters.text("scales");
    return quantisedAttention(inputs.spec, {.scoreBits = std::stoi(parameters.text("score-bits")),
                                            .valueBits = std::stoi(parameters.text("value-bits")),
                                            .scaleOf = scales == "tensor" ? ScaleOf::Tensor : scales == "token" ? ScaleOf::Token : ScaleOf::Block,
                                            .queryBlock = parameters.integer("query-block"),
                                            .keyBlock = parameters.integer("key-block"),
                                            .smoothKeys = parameters.boolean("smooth-keys")});
}
} // namespace

nn::AttentionPtr quantisedAttention(const nn::AttentionSpec& spec, const QuantisedScheme& scheme)
{
    if (spec.window > 0)
        throw Error(ErrorCode::UnsupportedFeature, "found attention in windows of a grid, expected attention over all tokens", "quantised");
    return std::make_shared<Quantised>(spec, scheme);
}

Method quantisedMethod()
{
    Method method;
    method.declaration = {
        .id = "attention.quantised",
        .lab = "attention",
        .title = "Scores in 8 or 4 bits (SageAttention)",
        .reference = "Zhang et al. 2024, SageAttention: Accurate 8-Bit Attention for Plug-and-play Inference Acceleration",
        .schema = ParameterSchema({
            {.name = "score-bits", .title = "Bits of scores", .type = ParameterType::Choice, .defaultValue = std::string("8"), .help = "Of queries and keys: 8, 4, or 32 (floats)", .choices = {"8", "4", "32"}},
            {.name = "value-bits", .title = "Bits of values", .type = ParameterType::Choice, .defaultValue = std::string("32"),
             .help = "32: weights and values in floats; 8: weights as unsigned, values as signed bytes", .choices = {"32", "8"}},
            {.name = "scales", .title = "One scale for each", .type = ParameterType::Choice, .defaultValue = std::string("block"), .help = "Head's tensor, token, or block of tokens", .choices = {"tensor", "token", "block"}},
            {.name = "query-block", .title = "Queries of a block", .type = ParameterType::Integer, .defaultValue = std::int64_t{128}, .minimum = 1, .maximum = 65536, .unit = "tokens", .help = "With scales for each block"},
            {.name = "key-block", .title = "Keys of a block", .type = ParameterType::Integer, .defaultValue = std::int64_t{64}, .minimum = 1, .maximum = 65536, .unit = "tokens", .help = "With scales for each block"},
            {.name = "smooth-keys", .title = "Smooth keys", .type = ParameterType::Boolean, .defaultValue = true, .help = "Take the mean over the tokens from the keys before they are coded; softmax does not see it"},
        })};
    method.op = quantisedOp;
    return method;
}

} // namespace tamis::attention
