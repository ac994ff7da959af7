// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/head_rule.h"

#include "core/base/error.h"
#include "core/base/parallel.h"

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using kernels::Rows;

ConstRows columns(ConstRows rows, std::int64_t first, std::int64_t count) { return {rows.data + first, rows.rows, count, rows.stride}; }

class Headwise final : public nn::AttentionOp {
public:
    Headwise(const nn::AttentionSpec& spec, HeadRulePtr rule) : m_spec(spec), m_shape(headShape(spec)), m_rule(std::move(rule)) {}
    std::string_view kind() const noexcept override { return m_rule->kind(); }
    std::int64_t heads() const noexcept override { return m_spec.heads; }
    std::int64_t headDim() const noexcept override { return m_spec.headDim; }
    nn::AttentionCost cost(std::int64_t tokens) const noexcept override
    {
        return {0, static_cast<std::uint64_t>(m_spec.heads) * m_rule->macs(m_shape, tokens, m_spec.headDim), m_rule->liveFloats(m_shape, tokens, m_spec.headDim)};
    }
    void apply(const nn::AttentionInput& input, Rows out, nn::Scratch& scratch) const override
    {
        requireNoBias(input);
        requireShapes(input);
        requireValues(input);
        const auto one = [&](std::int64_t head, nn::Scratch& own) {
            const std::int64_t d = m_spec.headDim, shared = keyHead(head);
            m_rule->mix(m_shape, columns(input.q, head * d, d), columns(input.k, shared * d, d), columns(input.v, shared * d, d),
                        {out.data + head * d, out.rows, d, out.stride}, own);
        };
        if (!scratch.parallel()) {
            for (std::int64_t head = 0; head < m_spec.heads; ++head)
                one(head, scratch);
            return;
        }
        parallelFor(scratch.context(), static_cast<std::size_t>(m_spec.heads), [&](std::size_t head) {
            nn::Scratch own(false, RunContext(scratch.context().stopToken()));
            one(static_cast<std::int64_t>(head), own);
        });
    }
    std::int64_t maps(std::int64_t) const noexcept override { return 1; }
    std::int64_t mapTokens(std::int64_t tokens) const noexcept override { return tokens; }
    /// What mixes the values: rows sum to 1, entries may be negative where the rule allows it.
    tensor::Matrix<float> map(const nn::AttentionInput& input, std::int64_t head, std::int64_t, const RunContext& context) const override
    {
        requireNoBias(input);
        requireShapes(input);
        const std::int64_t d = m_spec.headDim, shared = keyHead(head), tokens = input.q.rows;
        tensor::Matrix<float> identity(tokens, tokens), result(tokens, tokens);
        for (std::int64_t i = 0; i < tokens; ++i)
            identity(i, i) = 1;
        nn::Scratch scratch(false, RunContext(context.stopToken()));
        m_rule->mix(m_shape, columns(input.q, head * d, d), columns(input.k, shared * d, d), identity.view(), result.view(), scratch);
        return result;
    }

private:
    std::int64_t keyHead(std::int64_t head) const noexcept { return head / (m_spec.heads / m_spec.keyValueHeads); }
    void requireNoBias(const nn::AttentionInput& input) const
    {
        if (input.keyBias)
            throw Error(ErrorCode::UnsupportedFeature, "found a weight on the keys (merged tokens), expected none: only exact attention takes it", std::string(m_rule->kind()));
    }
    void requireShapes(const nn::AttentionInput& input) const
    {
        if (m_spec.heads < 1 || m_spec.keyValueHeads < 1 || m_spec.heads % m_spec.keyValueHeads != 0 || input.q.cols != m_spec.heads * m_spec.headDim ||
            input.k.cols != m_spec.keyValueHeads * m_spec.headDim)
            throw Error(ErrorCode::InvalidParameter, "queries of width " + std::to_string(input.q.cols) + " and keys of width " + std::to_string(input.k.cols) + " do not fit " + std::to_string(m_spec.heads) + " heads and " +
                                                         std::to_string(m_spec.keyValueHeads) + " key-value heads of " + std::to_string(m_spec.headDim), std::string(m_rule->kind()));
    }
    void requireValues(const nn::AttentionInput& input) const
    {
        if (input.v.cols != input.k.cols || input.v.rows != input.k.rows)
            throw Error(ErrorCode::InvalidParameter, std::to_string(input.v.rows) + " values of width " + std::to_string(input.v.cols) + " do not fit " + std::to_string(input.k.rows) + " keys of width " + std::to_string(input.k.cols),
                        std::string(m_rule->kind()));
    }
    nn::AttentionSpec m_spec;
    HeadShape m_shape;
    HeadRulePtr m_rule;
};
} // namespace

HeadShape headShape(const nn::AttentionSpec& spec) { return {spec.headDim, spec.scale, spec.causal, spec.causal ? spec.slidingWindow : 0}; }

nn::AttentionSpec specOfHead(nn::AttentionSpec spec)
{
    spec.heads = spec.keyValueHeads = 1;
    return spec;
}

nn::AttentionPtr headwise(const nn::AttentionSpec& spec, HeadRulePtr rule)
{
    if (spec.window > 0)
        throw Error(ErrorCode::UnsupportedFeature, "found attention in windows of a grid, expected attention over all tokens", std::string(rule->kind()));
    return std::make_shared<Headwise>(spec, std::move(rule));
}

} // namespace tamis::attention
