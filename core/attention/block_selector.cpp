// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/block_selector.h"

#include "core/attention/block_map.h"
#include "core/attention/row_scan.h"
#include "core/attention/softmax_mix.h"
#include "core/attention/task_choice.h"
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
/// The queries of a task either are multiplied by all that any of them reads, queries x union x dim multiply-adds twice, and what a query does not read is left out of its softmax; or each
/// alone by what it reads, gathered for it: the sum of that x dim, twice. For as many multiply-adds the latter takes 9 to 13 times as long (AVX2, 64 to 1,024 tokens of 32 to 128 features);
/// the rest is left to the softmaxes' copies.
constexpr std::int64_t kTimesAsMany = 6;
constexpr std::int64_t kMostKept = std::int64_t{1} << 24; ///< chosen blocks that are kept for heads to come

/// What is worked with.
struct Work {
    std::vector<float> keys, values, probabilities, row;
    std::vector<std::int64_t> indices;
};

/// Softmax over the runs of a row, 0 elsewhere. `kept` is worked with.
void softmaxOver(std::span<const Run> runs, std::span<float> row, std::vector<float>& kept)
{
    if (runs.size() == 1 && runs.front().count == static_cast<std::int64_t>(row.size()))
        return softmaxOf(row);
    kept.resize(row.size());
    std::size_t count = 0;
    for (const Run& run : runs) // of single tokens as often as not: no call for each
        for (std::int64_t j = run.begin; j < run.begin + run.count; ++j)
            kept[count++] = row[static_cast<std::size_t>(j)];
    softmaxOf({kept.data(), count});
    std::ranges::fill(row, 0.0F);
    count = 0;
    for (const Run& run : runs)
        for (std::int64_t j = run.begin; j < run.begin + run.count; ++j)
            row[static_cast<std::size_t>(j)] = kept[count++];
}

/// Tokens with a value that is infinite or not a number: 0 times such a one is not 0, so that no product may meet it for a query that does not read it.
std::vector<std::int64_t> strangeTokens(ConstRows values)
{
    std::vector<std::int64_t> strange;
    for (std::int64_t token = 0; token < values.rows; ++token)
        if (!allNumbers(values.data + token * values.stride, values.cols))
            strange.push_back(token);
    return strange;
}

class SelectedAttention final : public nn::AttentionOp, public SparseReader, public SharedReader {
public:
    SelectedAttention(const nn::AttentionSpec& spec, std::shared_ptr<const BlockSelector> selector) : m_spec(spec), m_selector(std::move(selector)), m_chooser(spec, *m_selector) {}
    std::string_view kind() const noexcept override { return m_selector->kind(); }
    std::int64_t heads() const noexcept override { return m_spec.heads; }
    std::int64_t headDim() const noexcept override { return m_spec.headDim; }
    /// Multiply-adds of what each query reads and of its scores of blocks, also where it reads all. Floats: what blocks are chosen by, and rows and weights of one query; a task of queries that is
    /// answered as one holds those of all tokens that any of them reads. None of it is of the scratch.
    nn::AttentionCost cost(std::int64_t tokens) const noexcept override
    {
        nn::AttentionCost cost{m_selector->parameters(), 0, 0};
        for (std::int64_t query = 0; query < tokens; ++query)
            cost.macs += static_cast<std::uint64_t>(2 * m_spec.heads * m_spec.headDim * mostTokens(query, tokens)) + m_selector->scoreMacs(m_chooser.seenBy(query, tokens));
        const std::int64_t most = tokens > 0 ? mostTokens(tokens - 1, tokens) : 0;
        cost.liveFloats = static_cast<std::uint64_t>(most * (2 * m_spec.headDim + group()) + m_selector->scoreTokens(tokens) * 2 * m_spec.headDim * m_spec.keyValueHeads);
        return cost;
    }
    void apply(const nn::AttentionInput& input, Rows out, nn::Scratch& scratch) const override
    {
        require(input);
        const auto scorer = m_selector->prepare(input);
        const std::vector<std::int64_t> strange = strangeTokens(input.v);
        const std::int64_t tasks = TaskChooser::tasks(input.q.rows), step = m_chooser.together() ? group() : 1;
        const auto task = [&](std::size_t index) {
            Work work;
            TaskChoice choice;
            for (std::int64_t head = 0; head < m_spec.heads; head += step) {
                if (head == 0 || !m_chooser.together())
                    m_chooser.choose(*scorer, input.q.rows, static_cast<std::int64_t>(index), head, choice);
                if (asOne(choice) && !readsAny(choice, strange))
                    answerAsOne(input, head, step, choice, out, work);
                else
                    answerOneByOne(input, head, step, choice, out, work);
            }
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
    tensor::Matrix<float> map(const nn::AttentionInput& input, std::int64_t head, std::int64_t, const RunContext& context) const override
    {
        require(input);
        return mapOf(input, head, *m_selector->prepare(input), {}, context);
    }
    std::unique_ptr<const HeadMaps> headMaps(const nn::AttentionInput& input, const RunContext& context) const override
    {
        require(input);
        return std::make_unique<Maps>(*this, input, context);
    }
    report::BlockMap blockMap(const nn::AttentionInput& input, std::int64_t head, const RunContext& context) const override
    {
        require(input);
        const auto scorer = m_selector->prepare(input);
        const std::int64_t tokens = input.q.rows, size = m_chooser.blockTokens(), blocks = m_chooser.blocksOf(tokens);
        report::BlockMap result{.queries = tokens, .blocks = blocks, .blockTokens = size};
        result.selected.assign(static_cast<std::size_t>(tokens * blocks), 0);
        result.scores.assign(static_cast<std::size_t>(tokens * blocks), 0.0F);
        TaskChoice choice;
        for (std::int64_t task = 0; task < TaskChooser::tasks(tokens); ++task) {
            context.throwIfStopped();
            m_chooser.choose(*scorer, tokens, task, head, choice);
            for (std::int64_t query = choice.first; query < choice.first + choice.queries; ++query) {
                const std::int64_t seen = m_chooser.seenBy(query, tokens);
                std::int64_t read = 0;
                for (const std::int64_t block : choice.chosenBy(query)) {
                    result.selected[static_cast<std::size_t>(query * blocks + block)] = 1;
                    read += m_chooser.tokensOf(block, seen);
                }
                scorer->score(query, m_chooser.together() ? 0 : head, {result.scores.data() + query * blocks, static_cast<std::size_t>(m_chooser.blocksOf(seen))});
                result.tokensRead.push_back(read + m_selector->scoreTokens(seen));
            }
        }
        return result;
    }

private:
    class Maps final : public HeadMaps {
    public:
        Maps(const SelectedAttention& op, const nn::AttentionInput& input, const RunContext& context) : m_op(op), m_input(input), m_scorer(op.m_selector->prepare(input))
        {
            const std::int64_t tokens = input.q.rows, tasks = TaskChooser::tasks(tokens);
            if (!op.m_chooser.together() || tokens * std::min(op.m_selector->most(), op.m_chooser.blocksOf(tokens)) > kMostKept)
                return;
            m_choices.resize(static_cast<std::size_t>(tasks));
            for (std::int64_t task = 0; task < tasks; ++task) {
                context.throwIfStopped();
                op.m_chooser.choose(*m_scorer, tokens, task, 0, m_choices[static_cast<std::size_t>(task)]);
            }
        }
        tensor::Matrix<float> map(std::int64_t head, const RunContext& context) const override { return m_op.mapOf(m_input, head, *m_scorer, m_choices, context); }

    private:
        const SelectedAttention& m_op;
        nn::AttentionInput m_input;
        std::unique_ptr<BlockScorer> m_scorer;
        std::vector<TaskChoice> m_choices; ///< a task; empty: each head for itself
    };

    std::int64_t group() const noexcept { return m_spec.heads / m_spec.keyValueHeads; }
    /// Causal: exactly, for the query's own block is read and is the only one that may not be full.
    std::int64_t mostTokens(std::int64_t query, std::int64_t tokens) const noexcept
    {
        const std::int64_t seen = m_chooser.seenBy(query, tokens), size = m_chooser.blockTokens(), blocks = m_chooser.blocksOf(seen), most = m_selector->most();
        if (blocks <= most)
            return seen;
        return m_spec.causal ? most * size - (blocks * size - seen) : most * size;
    }
    void require(const nn::AttentionInput& input) const
    {
        if (input.keyBias)
            throw Error(ErrorCode::UnsupportedFeature, "found a weight on the keys (merged tokens), expected none: only exact attention takes it", "attention." + std::string(kind()));
    }
    static bool asOne(const TaskChoice& choice) noexcept { return choice.queries * choice.tokens <= kTimesAsMany * choice.read; }
    /// Whether any of these tokens is united.
    bool readsAny(const TaskChoice& choice, std::span<const std::int64_t> tokens) const
    {
        return std::ranges::any_of(tokens, [&](std::int64_t token) {
            const auto block = static_cast<std::size_t>(token / m_chooser.blockTokens());
            return block < choice.places.size() && choice.places[block] >= 0;
        });
    }
    tensor::Matrix<float> mapOf(const nn::AttentionInput& input, std::int64_t head, const BlockScorer& scorer, std::span<const TaskChoice> known, const RunContext& context) const
    {
        const std::int64_t tokens = input.q.rows;
        tensor::Matrix<float> map(tokens, tokens);
        Work work;
        TaskChoice own;
        for (std::int64_t task = 0; task < TaskChooser::tasks(tokens); ++task) {
            context.throwIfStopped();
            if (known.empty())
                m_chooser.choose(scorer, tokens, task, head, own);
            const TaskChoice& choice = known.empty() ? own : known[static_cast<std::size_t>(task)];
            if (asOne(choice)) {
                gatherUnited(input.k, head / group(), choice, work.keys);
                weighAsOne(input, head, choice, work);
                placeUnited(choice, work, map);
                continue;
            }
            for (std::int64_t query = choice.first; query < choice.first + choice.queries; ++query) {
                weigh(input, query, head, 1, choice, work);
                for (std::size_t i = 0; i < work.indices.size(); ++i)
                    map(query, work.indices[i]) = work.probabilities[i];
            }
        }
        return map;
    }
    /// The rows of the united tokens, [tokens, dim] of a key-value head; where these are the first tokens, as they lie.
    ConstRows united(ConstRows from, std::int64_t shared, const TaskChoice& choice, const std::vector<float>& gathered) const
    {
        const std::int64_t d = m_spec.headDim;
        return choice.leading() ? ConstRows{from.data + shared * d, choice.tokens, d, from.stride} : ConstRows{gathered.data(), choice.tokens, d, d};
    }
    void gatherUnited(ConstRows from, std::int64_t shared, const TaskChoice& choice, std::vector<float>& gathered) const
    {
        if (choice.leading())
            return;
        const std::int64_t d = m_spec.headDim;
        gathered.resize(static_cast<std::size_t>(choice.tokens * d));
        float* to = gathered.data();
        for (const Stretch& stretch : choice.stretches) {
            const float* row = from.data + stretch.token * from.stride + shared * d;
            for (std::int64_t i = 0; i < stretch.count; ++i, row += from.stride, to += d)
                std::copy_n(row, d, to);
        }
    }
    /// Probabilities [queries, united tokens] of one head; the keys are gathered.
    void weighAsOne(const nn::AttentionInput& input, std::int64_t head, const TaskChoice& choice, Work& work) const
    {
        const std::int64_t d = m_spec.headDim;
        work.probabilities.resize(static_cast<std::size_t>(choice.queries * choice.tokens));
        const Rows p{work.probabilities.data(), choice.queries, choice.tokens, choice.tokens};
        floatProduct(Turn::None, Turn::Transpose, m_spec.scale, ConstRows{input.q.data + choice.first * input.q.stride + head * d, choice.queries, d, input.q.stride},
                     united(input.k, head / group(), choice, work.keys), 0, p);
        for (std::int64_t i = 0; i < choice.queries; ++i)
            softmaxOver(choice.runsOf(choice.first + i), p.row(i), work.row);
    }
    static void placeUnited(const TaskChoice& choice, const Work& work, tensor::Matrix<float>& map)
    {
        const float* from = work.probabilities.data();
        for (std::int64_t i = 0; i < choice.queries; ++i)
            for (const Stretch& stretch : choice.stretches) {
                std::copy_n(from, stretch.count, map.data() + (choice.first + i) * map.cols() + stretch.token);
                from += stretch.count;
            }
    }
    /// `heads` of them from `head` on, of one group.
    void answerAsOne(const nn::AttentionInput& input, std::int64_t head, std::int64_t heads, const TaskChoice& choice, Rows out, Work& work) const
    {
        const std::int64_t d = m_spec.headDim, shared = head / group();
        gatherUnited(input.k, shared, choice, work.keys);
        gatherUnited(input.v, shared, choice, work.values);
        for (std::int64_t one = head; one < head + heads; ++one) {
            weighAsOne(input, one, choice, work);
            floatProduct(Turn::None, Turn::None, 1, ConstRows{work.probabilities.data(), choice.queries, choice.tokens, choice.tokens}, united(input.v, shared, choice, work.values), 0,
                         Rows{out.data + choice.first * out.stride + one * d, choice.queries, d, out.stride});
        }
    }
    /// Probabilities [rows, tokens] of `rows` heads from `head` on, of one group, for one query.
    void weigh(const nn::AttentionInput& input, std::int64_t query, std::int64_t head, std::int64_t rows, const TaskChoice& choice, Work& work) const
    {
        const std::int64_t d = m_spec.headDim, seen = m_chooser.seenBy(query, input.q.rows), size = m_chooser.blockTokens();
        work.indices.clear();
        for (const std::int64_t block : choice.chosenBy(query))
            for (std::int64_t token = block * size, end = token + m_chooser.tokensOf(block, seen); token < end; ++token)
                work.indices.push_back(token);
        const auto count = static_cast<std::int64_t>(work.indices.size());
        gather(input.k, head / group() * d, work.indices, work.keys);
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
    void answerOneByOne(const nn::AttentionInput& input, std::int64_t head, std::int64_t heads, const TaskChoice& choice, Rows out, Work& work) const
    {
        const std::int64_t d = m_spec.headDim;
        for (std::int64_t query = choice.first; query < choice.first + choice.queries; ++query) {
            weigh(input, query, head, heads, choice, work);
            gather(input.v, head / group() * d, work.indices, work.values);
            const auto count = static_cast<std::int64_t>(work.indices.size());
            floatProduct(Turn::None, Turn::None, 1, ConstRows{work.probabilities.data(), heads, count, count}, ConstRows{work.values.data(), count, d, d}, 0,
                         Rows{out.data + query * out.stride + head * d, heads, d, d});
        }
    }
    nn::AttentionSpec m_spec;
    std::shared_ptr<const BlockSelector> m_selector;
    TaskChooser m_chooser;
};
} // namespace

nn::AttentionPtr selectedAttention(const nn::AttentionSpec& spec, std::shared_ptr<const BlockSelector> selector)
{
    if (spec.window > 0 || spec.slidingWindow > 0)
        throw Error(ErrorCode::UnsupportedFeature, "found attention in windows, expected attention over all tokens", "attention." + std::string(selector->kind()));
    return std::make_shared<SelectedAttention>(spec, std::move(selector));
}

} // namespace tamis::attention
