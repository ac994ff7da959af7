// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/native_sparse_decoder.h"

#include "core/base/error.h"
#include "core/base/parallel.h"

#include <algorithm>

namespace tamis::attention {
namespace {
template <class Each> void eachHead(const RunContext& context, std::size_t heads, bool parallel, const Each& each)
{
    if (parallel && heads > 1)
        parallelFor(context, heads, each);
    else
        for (std::size_t head = 0; head < heads; ++head)
            each(head);
}
} // namespace

NativeSparseDecoder::NativeSparseDecoder(std::shared_ptr<const NativeSparseRule> rule) : m_rule(std::move(rule))
{
    if (!m_rule->causal)
        throw Error(ErrorCode::InvalidParameter, "found attention to all tokens, expected causal attention: a token is answered before the next is there", "attention.native-sparse");
    for (std::int64_t head = 0; head < m_rule->keyValueHeads; ++head)
        m_heads.emplace_back(m_rule);
    m_gates.resize(kBranches * static_cast<std::size_t>(m_rule->heads));
}

void NativeSparseDecoder::step(const DecoderToken& token, float* out, bool parallel)
{
    m_rule->gates(token.x, m_gates.data());
    const std::int64_t d = m_rule->dim, group = m_rule->heads / m_rule->keyValueHeads;
    eachHead(m_context, m_heads.size(), parallel, [&](std::size_t index) {
        const auto head = static_cast<std::int64_t>(index);
        m_heads[index].append(token.k + head * d, token.v + head * d);
        m_heads[index].attend(token.q + head * group * d, m_heads[index].tokens() - 1, m_gates.data() + head * group, out + head * group * d);
    });
}

void NativeSparseDecoder::append(const float* k, const float* v)
{
    for (std::size_t head = 0; head < m_heads.size(); ++head)
        m_heads[head].append(k + static_cast<std::int64_t>(head) * m_rule->dim, v + static_cast<std::int64_t>(head) * m_rule->dim);
}

std::uint64_t NativeSparseDecoder::lastBytes() const noexcept
{
    std::int64_t tokens = 0;
    for (const NativeSparseHead& head : m_heads)
        tokens += head.reads().total();
    return static_cast<std::uint64_t>(tokens * 2 * m_rule->dim) * sizeof(float);
}

std::int64_t NativeSparseDecoder::cacheBytes() const noexcept
{
    std::int64_t bytes = 0;
    for (const NativeSparseHead& head : m_heads)
        bytes += head.bytes();
    return bytes;
}

ExactDecoder::ExactDecoder(const nn::AttentionSpec& spec, std::int64_t blockTokens) : m_spec(spec)
{
    if (spec.window > 0 || spec.slidingWindow > 0)
        throw Error(ErrorCode::UnsupportedFeature, "found attention in windows, expected attention over all tokens before", "exact decoder");
    for (std::int64_t head = 0; head < spec.keyValueHeads; ++head)
        m_heads.push_back({PanelCache(spec.headDim, spec.headDim, blockTokens), {}, {}});
}

void ExactDecoder::step(const DecoderToken& token, float* out, bool parallel)
{
    const std::int64_t d = m_spec.headDim, group = m_spec.heads / m_spec.keyValueHeads;
    const std::vector<float> factors(static_cast<std::size_t>(group), 1.0F);
    eachHead(m_context, m_heads.size(), parallel, [&](std::size_t index) {
        const auto head = static_cast<std::int64_t>(index);
        Head& own = m_heads[index];
        own.cache.append(token.k + head * d, token.v + head * d);
        own.segments.clear();
        addSegments(own.cache, 0, own.cache.tokens(), own.segments);
        own.attention.setQueries(token.q + head * group * d, d, group, d, m_spec.scale);
        own.attention.score(own.segments);
        std::fill_n(out + head * group * d, group * d, 0.0F);
        own.attention.mix(own.segments, own.cache, factors.data(), out + head * group * d, d);
    });
}

void ExactDecoder::append(const float* k, const float* v)
{
    for (std::size_t head = 0; head < m_heads.size(); ++head)
        m_heads[head].cache.append(k + static_cast<std::int64_t>(head) * m_spec.headDim, v + static_cast<std::int64_t>(head) * m_spec.headDim);
}

std::uint64_t ExactDecoder::lastBytes() const noexcept
{
    std::int64_t tokens = 0;
    for (const Head& head : m_heads)
        tokens += tokensOf(head.segments);
    return static_cast<std::uint64_t>(tokens * 2 * m_spec.headDim) * sizeof(float);
}

} // namespace tamis::attention
