// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/quest.h"

#include <algorithm>
#include <cmath>

namespace tamis::attention {
namespace {
using kernels::ConstRows;

class QuestScorer final : public BlockScorer {
public:
    QuestScorer(const nn::AttentionSpec& spec, const nn::AttentionInput& input, std::int64_t page)
        : m_spec(spec), m_q(input.q), m_k(input.k), m_page(page), m_low((input.k.rows + page - 1) / page, input.k.cols), m_high(m_low.rows(), m_low.cols())
    {
        for (std::int64_t j = 0; j < m_low.rows(); ++j)
            boundsOf(j * page, std::min(m_k.rows, (j + 1) * page), 0, m_k.cols, m_low.data() + j * m_k.cols, m_high.data() + j * m_k.cols);
    }
    void score(std::int64_t query, std::int64_t head, std::span<float> scores) const override
    {
        const std::int64_t d = m_spec.headDim, column = head / (m_spec.heads / m_spec.keyValueHeads) * d, own = query / m_page;
        const float* q = m_q.data + query * m_q.stride + head * d;
        for (std::size_t j = 0; j < scores.size(); ++j) {
            const std::int64_t at = static_cast<std::int64_t>(j) * m_low.cols() + column;
            scores[j] = bound(q, m_low.data() + at, m_high.data() + at);
        }
        if (!m_spec.causal || query + 1 == std::min(m_k.rows, (own + 1) * m_page))
            return;
        std::vector<float> bounds(static_cast<std::size_t>(2 * d)); // of the part that is seen
        boundsOf(own * m_page, query + 1, column, d, bounds.data(), bounds.data() + d);
        scores[static_cast<std::size_t>(own)] = bound(q, bounds.data(), bounds.data() + d);
    }

private:
    float bound(const float* q, const float* low, const float* high) const
    {
        float sum = 0;
        for (std::int64_t i = 0; i < m_spec.headDim; ++i)
            sum += std::max(q[i] * low[i], q[i] * high[i]);
        return sum;
    }
    void boundsOf(std::int64_t begin, std::int64_t end, std::int64_t column, std::int64_t count, float* low, float* high) const
    {
        std::copy_n(m_k.data + begin * m_k.stride + column, count, low);
        std::copy_n(low, count, high);
        for (std::int64_t token = begin + 1; token < end; ++token)
            for (std::int64_t i = 0; i < count; ++i) {
                const float key = m_k.data[token * m_k.stride + column + i];
                low[i] = std::isnan(key) ? key : std::min(low[i], key);
                high[i] = std::isnan(key) ? key : std::max(high[i], key);
            }
    }
    nn::AttentionSpec m_spec;
    ConstRows m_q, m_k;
    std::int64_t m_page;
    tensor::Matrix<float> m_low, m_high; ///< [pages, key-value heads dim]
};

class Quest final : public BlockSelector {
public:
    Quest(const nn::AttentionSpec& spec, std::int64_t page, std::int64_t most) : m_spec(spec), m_page(page), m_most(most) {}
    std::string_view kind() const noexcept override { return "quest"; }
    std::int64_t blockTokens() const noexcept override { return m_page; }
    std::int64_t most() const noexcept override { return m_most; }
    bool together() const noexcept override { return false; }
    std::uint64_t scoreMacs(std::int64_t seen) const noexcept override { return static_cast<std::uint64_t>(2 * m_spec.heads * m_spec.headDim * scoreTokens(seen)); }
    std::int64_t scoreTokens(std::int64_t seen) const noexcept override { return (seen + m_page - 1) / m_page; } // two bounds: as long as a key and a value
    std::unique_ptr<BlockScorer> prepare(const nn::AttentionInput& input) const override { return std::make_unique<QuestScorer>(m_spec, input, m_page); }

private:
    nn::AttentionSpec m_spec;
    std::int64_t m_page, m_most;
};

nn::AttentionPtr questOp(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = questMethod().declaration.schema.complete(given);
    return selectedAttention(inputs.spec, questSelector(inputs.spec, parameters.integer("page"), parameters.integer("selected")));
}
} // namespace

std::shared_ptr<const BlockSelector> questSelector(const nn::AttentionSpec& spec, std::int64_t pageTokens, std::int64_t pages)
{
    return std::make_shared<Quest>(spec, pageTokens, pages);
}

Method questMethod()
{
    Method method;
    method.declaration = {
        .id = "attention.quest",
        .lab = "attention",
        .title = "Pages by bounds of their keys (Quest)",
        .reference = "Tang et al. 2024, Quest: exact attention over the pages whose keys may have the largest score, by their least and largest entries",
        .schema = ParameterSchema({
            {.name = "selected", .title = "Selected pages", .type = ParameterType::Integer, .defaultValue = std::int64_t{16}, .minimum = 1, .maximum = 65536, .help = "Pages that a query reads, its own among them; all where there are no more: exact"},
            {.name = "page", .title = "Page", .type = ParameterType::Integer, .defaultValue = std::int64_t{16}, .minimum = 1, .maximum = 65536, .unit = "tokens", .help = "Tokens that are read together"},
        })};
    method.op = questOp;
    return method;
}

} // namespace tamis::attention
