// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/block_selector.h"

#include "core/attention/block_choice.h"
#include "core/attention/softmax_mix.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/linalg/float_product.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using kernels::Rows;
using linalg::floatProduct;
using linalg::Turn;
constexpr std::int64_t kQueriesOfTask = 16;

/// Of one task.
struct Work {
    std::vector<float> scores, keys, values, probabilities;
    std::vector<std::int64_t> chosen, tokens;
};

class SelectedAttention final : public nn::AttentionOp, public SparseReader {
public:
    SelectedAttention(const nn::AttentionSpec& spec, std::shared_ptr<const BlockSelector> selector) : m_spec(spec), m_selector(std::move(selector)) {}
    std::string_view kind() const noexcept override { return m_selector->kind(); }
    std::int64_t heads() const noexcept override { return m_spec.heads; }
    std::int64_t headDim() const noexcept override { return m_spec.headDim; }
    nn::AttentionCost cost(std::int64_t tokens) const noexcept override
    {
        nn::AttentionCost cost{m_selector->parameters(), 0, 0};
        for (std::int64_t query = 0; query < tokens; ++query)
            cost.macs += static_cast<std::uint64_t>(2 * m_spec.heads * m_spec.headDim * mostTokens(query, tokens)) + m_selector->scoreMacs(seenBy(query, tokens));
        const std::int64_t most = tokens > 0 ? mostTokens(tokens - 1, tokens) : 0;
        cost.liveFloats = static_cast<std::uint64_t>(most * (2 * m_spec.headDim + group()) + m_selector->scoreTokens(tokens) * 2 * m_spec.headDim * m_spec.keyValueHeads);
        return cost;
    }
    void apply(const nn::AttentionInput& input, Rows out, nn::Scratch& scratch) const override
    {
        require(input);
        const auto scorer = m_selector->prepare(input);
        const std::int64_t tasks = (input.q.rows + kQueriesOfTask - 1) / kQueriesOfTask;
        const auto task = [&](std::size_t index) {
            Work work;
            const std::int64_t first = static_cast<std::int64_t>(index) * kQueriesOfTask;
            for (std::int64_t query = first; query < std::min(first + kQueriesOfTask, input.q.rows); ++query)
                answer(input, *scorer, query, out, work);
        };
        if (scratch.parallel())
            return parallelFor(scratch.context(), static_cast<std::size_t>(tasks), task);
        for (std::int64_t index = 0; index < tasks; ++index) {
            scratch.context().throwIfStopped();
            task(static_cast<std::size_t>(index));
        }
    }
    std::int64_t maps(std::int64_t) const noexcept override { return 1; }
    std::int64_t mapTokens(std::int64_t tokens) const noexcept override { return tokens; }
    tensor::Matrix<float> map(const nn::AttentionInput& input, std::int64_t head, std::int64_t) const override
    {
        require(input);
        const auto scorer = m_selector->prepare(input);
        tensor::Matrix<float> map(input.q.rows, input.q.rows);
        Work work;
        for (std::int64_t query = 0; query < input.q.rows; ++query) {
            choose(*scorer, input, query, head, work);
            weigh(input, query, head, 1, work);
            for (std::size_t i = 0; i < work.tokens.size(); ++i)
                map(query, work.tokens[i]) = work.probabilities[i];
        }
        return map;
    }
    report::BlockMap blockMap(const nn::AttentionInput& input, std::int64_t head) const override
    {
        require(input);
        const auto scorer = m_selector->prepare(input);
        const std::int64_t tokens = input.q.rows, size = m_selector->blockTokens(), blocks = (tokens + size - 1) / size;
        report::BlockMap result{.queries = tokens, .blocks = blocks, .blockTokens = size};
        result.selected.assign(static_cast<std::size_t>(tokens * blocks), 0);
        result.scores.assign(static_cast<std::size_t>(tokens * blocks), 0.0F);
        Work work;
        for (std::int64_t query = 0; query < tokens; ++query) {
            choose(*scorer, input, query, head, work);
            for (const std::int64_t block : work.chosen)
                result.selected[static_cast<std::size_t>(query * blocks + block)] = 1;
            std::ranges::copy(work.scores, result.scores.begin() + query * blocks);
            result.tokensRead.push_back(static_cast<std::int64_t>(work.tokens.size()) + m_selector->scoreTokens(seenBy(query, tokens)));
        }
        return result;
    }

private:
    std::int64_t group() const noexcept { return m_spec.heads / m_spec.keyValueHeads; }
    std::int64_t seenBy(std::int64_t query, std::int64_t tokens) const noexcept { return m_spec.causal ? query + 1 : tokens; }
    /// Causal: exactly, for the query's own block is read and is the only one that may not be full.
    std::int64_t mostTokens(std::int64_t query, std::int64_t tokens) const noexcept
    {
        const std::int64_t seen = seenBy(query, tokens), size = m_selector->blockTokens(), blocks = (seen + size - 1) / size, most = m_selector->most();
        if (blocks <= most)
            return seen;
        return m_spec.causal ? most * size - (blocks * size - seen) : most * size;
    }
    void require(const nn::AttentionInput& input) const
    {
        if (input.keyBias)
            throw Error(ErrorCode::UnsupportedFeature, "found a weight on the keys (merged tokens), expected none: only exact attention takes it", "attention." + std::string(kind()));
    }
    void choose(const BlockScorer& scorer, const nn::AttentionInput& input, std::int64_t query, std::int64_t head, Work& work) const
    {
        const std::int64_t size = m_selector->blockTokens(), seen = seenBy(query, input.q.rows);
        work.scores.resize(static_cast<std::size_t>((seen + size - 1) / size));
        scorer.score(query, m_selector->together() ? 0 : head, work.scores);
        chooseBlocks(work.scores, query / size, m_spec.causal, {0, 1}, m_selector->most(), work.chosen);
        work.tokens.clear();
        for (const std::int64_t block : work.chosen)
            for (std::int64_t token = block * size; token < std::min(seen, (block + 1) * size); ++token)
                work.tokens.push_back(token);
    }
    /// Probabilities [rows, tokens] of `rows` heads from `head` on, of one group.
    void weigh(const nn::AttentionInput& input, std::int64_t query, std::int64_t head, std::int64_t rows, Work& work) const
    {
        const std::int64_t d = m_spec.headDim, shared = head / group(), count = static_cast<std::int64_t>(work.tokens.size());
        gather(input.k, shared * d, work.tokens, work.keys);
        work.probabilities.resize(static_cast<std::size_t>(rows * count));
        const Rows p{work.probabilities.data(), rows, count, count};
        floatProduct(Turn::None, Turn::Transpose, m_spec.scale, ConstRows{input.q.data + query * input.q.stride + head * d, rows, d, d}, ConstRows{work.keys.data(), count, d, d}, 0, p);
        for (std::int64_t row = 0; row < rows; ++row)
            softmaxOf(p.row(row));
    }
    void gather(ConstRows from, std::int64_t column, const std::vector<std::int64_t>& tokens, std::vector<float>& rows) const
    {
        const std::int64_t d = m_spec.headDim;
        rows.resize(tokens.size() * static_cast<std::size_t>(d));
        for (std::size_t i = 0; i < tokens.size(); ++i)
            std::copy_n(from.data + tokens[i] * from.stride + column, d, rows.data() + static_cast<std::int64_t>(i) * d);
    }
    void answer(const nn::AttentionInput& input, const BlockScorer& scorer, std::int64_t query, Rows out, Work& work) const
    {
        const std::int64_t d = m_spec.headDim, step = m_selector->together() ? group() : 1;
        for (std::int64_t head = 0; head < m_spec.heads; head += step) {
            if (head == 0 || !m_selector->together())
                choose(scorer, input, query, head, work);
            weigh(input, query, head, step, work);
            gather(input.v, head / group() * d, work.tokens, work.values);
            const std::int64_t count = static_cast<std::int64_t>(work.tokens.size());
            floatProduct(Turn::None, Turn::None, 1, ConstRows{work.probabilities.data(), step, count, count}, ConstRows{work.values.data(), count, d, d}, 0,
                         Rows{out.data + query * out.stride + head * d, step, d, d});
        }
    }
    nn::AttentionSpec m_spec;
    std::shared_ptr<const BlockSelector> m_selector;
};
} // namespace

nn::AttentionPtr selectedAttention(const nn::AttentionSpec& spec, std::shared_ptr<const BlockSelector> selector)
{
    if (spec.window > 0 || spec.slidingWindow > 0)
        throw Error(ErrorCode::UnsupportedFeature, "found attention in windows, expected attention over all tokens", "attention." + std::string(selector->kind()));
    return std::make_shared<SelectedAttention>(spec, std::move(selector));
}

} // namespace tamis::attention
