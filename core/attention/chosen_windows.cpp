// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/chosen_windows.h"

#include "core/attention/tape_assignment.h"
#include "core/attention/window.h"
#include "core/base/parallel.h"
#include "core/linalg/float_product.h"
#include "core/train/block_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using kernels::Rows;

using Windows = std::vector<std::vector<std::int32_t>>;

void meanOf(ConstRows x, const std::vector<std::int32_t>& tokens, float* mean)
{
    std::fill_n(mean, x.cols, 0.0F);
    for (const std::int32_t token : tokens)
        for (std::int64_t j = 0; j < x.cols; ++j)
            mean[j] += x.data[token * x.stride + j];
    for (std::int64_t j = 0; j < x.cols; ++j)
        mean[j] /= static_cast<float>(tokens.size());
}

class ChosenWindows final : public HeadRule {
public:
    ChosenWindows(const TokenGrid& grid, std::int64_t side, std::int64_t windows) : m_grid(grid), m_side(side), m_seen(windows) {}
    std::string_view kind() const noexcept override { return "chosen-windows"; }
    /// At most: windows at the edges are smaller, and which are chosen is not known before. Exactly where all are alike, all are seen, or a text is causal. Of a grid: in proportion to its tokens.
    std::uint64_t macs(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override
    {
        const Most most = mostOf(shape, tokens, width);
        const double part = m_grid.text() ? 1 : static_cast<double>(tokens) / static_cast<double>(m_grid.tokens());
        return static_cast<std::uint64_t>(most.windows * most.windows * shape.dim + static_cast<std::int64_t>(part * static_cast<double>(most.pairs)) * (shape.dim + width));
    }
    /// At most likewise, with the places of one group, as groupFloats().
    std::uint64_t liveFloats(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override
    {
        const Most most = mostOf(shape, tokens, width);
        return static_cast<std::uint64_t>(most.windows * (2 * shape.dim + most.windows) + most.floats);
    }
    void mix(const HeadShape& shape, ConstRows q, ConstRows k, ConstRows v, Rows out, nn::Scratch& scratch) const override
    {
        const Windows windows = windowsOf(m_grid, q.rows, m_side, 0);
        forGroups(shape, windows, q, k, scratch, [&](const TokenGroup& group) { mixByGroups(shape, {&group, 1}, q, k, v, out, scratch); });
    }
    /// seen [tokens, tokens], 0 before: 1 where a query sees a key.
    void mark(const HeadShape& shape, ConstRows q, ConstRows k, std::uint8_t* seen, nn::Scratch& scratch) const
    {
        forGroups(shape, windowsOf(m_grid, q.rows, m_side, 0), q, k, scratch, [&](const TokenGroup& group) {
            for (const std::int32_t query : group.queries)
                for (const std::int32_t key : group.keys)
                    if (!shape.causal || (key <= query && (shape.slidingWindow == 0 || key > query - shape.slidingWindow)))
                        seen[query * q.rows + key] = 1;
        });
    }

private:
    struct Most {
        std::int64_t windows = 0, pairs = 0, floats = 0;
        /// A group of `queries`, which are the last of its keys: behind `before` others.
        void add(const HeadShape& shape, std::int64_t queries, std::int64_t before, std::int64_t keys, std::int64_t width)
        {
            std::int64_t tile = 0;
            for (std::int64_t first = 0; first < queries; first += kGroupTile) {
                const std::int64_t count = std::min(kGroupTile, queries - first), seen = shape.causal ? before + first + count : keys;
                pairs += count * seen;
                tile = std::max(tile, count * (shape.dim + width + seen));
            }
            floats = std::max(floats, keys + queries + keys * (shape.dim + width) + tile);
        }
    };
    /// As if the windows that a window chooses were the largest.
    Most mostOf(const HeadShape& shape, std::int64_t asked, std::int64_t width) const
    {
        const std::int64_t tokens = m_grid.text() ? asked : m_grid.tokens(), prefix = m_grid.prefix;
        const Windows windows = windowsOf(m_grid, tokens, m_side, 0);
        std::int64_t largest = 0, behind = 0;
        for (const auto& window : windows)
            largest = std::max(largest, static_cast<std::int64_t>(window.size()));
        Most most{.windows = static_cast<std::int64_t>(windows.size())};
        for (std::int64_t i = 0; i < most.windows; ++i) {
            const auto own = static_cast<std::int64_t>(windows[static_cast<std::size_t>(i)].size());
            const std::int64_t others = shape.causal ? i : most.windows - 1, there = shape.causal ? behind : tokens - prefix - own;
            const std::int64_t before = prefix + std::min(std::min(m_seen - 1, others) * largest, there);
            most.add(shape, own, before, before + own, width);
            behind += own;
        }
        if (prefix > 0)
            most.add(shape, prefix, 0, tokens, width);
        return most;
    }
    /// One after the other: of many windows that see many, all lists at once would hold tokens^2 places.
    template <class Each> void forGroups(const HeadShape& shape, const Windows& windows, ConstRows q, ConstRows k, nn::Scratch& scratch, const Each& each) const
    {
        nn::Scratch::Frame frame(scratch);
        const auto count = static_cast<std::int64_t>(windows.size());
        const Rows queries = frame.take(count, q.cols), keys = frame.take(count, k.cols), scores = frame.take(count, count);
        for (std::int64_t i = 0; i < count; ++i) {
            const auto& window = windows[static_cast<std::size_t>(i)];
            meanOf(k, window, keys.data + i * keys.stride);
            meanOf(q, shape.causal ? std::vector<std::int32_t>{window.front()} : window, queries.data + i * queries.stride);
        }
        linalg::floatProduct(linalg::Turn::None, linalg::Turn::Transpose, shape.scale, queries, keys, 0, scores);
        std::vector<std::int32_t> prefix(static_cast<std::size_t>(m_grid.prefix));
        std::iota(prefix.begin(), prefix.end(), 0);
        for (std::int64_t i = 0; i < count; ++i) {
            TokenGroup group{.queries = windows[static_cast<std::size_t>(i)], .keys = prefix};
            for (const std::int64_t j : chosenFor(i, shape.causal ? i + 1 : count, scores.data + i * scores.stride))
                group.keys.insert(group.keys.end(), windows[static_cast<std::size_t>(j)].begin(), windows[static_cast<std::size_t>(j)].end());
            std::ranges::sort(group.keys);
            each(group);
        }
        if (m_grid.prefix > 0) {
            std::vector<std::int32_t> everything(static_cast<std::size_t>(q.rows));
            std::iota(everything.begin(), everything.end(), 0);
            each(TokenGroup{std::move(prefix), std::move(everything)});
        }
    }
    /// Of windows 0 .. end - 1: `own` and the best others.
    std::vector<std::int64_t> chosenFor(std::int64_t own, std::int64_t end, const float* scores) const
    {
        std::vector<std::int64_t> others;
        for (std::int64_t j = 0; j < end; ++j)
            if (j != own)
                others.push_back(j);
        const auto score = [scores](std::int64_t j) { return std::isnan(scores[j]) ? -std::numeric_limits<float>::infinity() : scores[j]; };
        std::ranges::stable_sort(others, [&](std::int64_t a, std::int64_t b) { return score(a) > score(b); });
        others.resize(std::min(others.size(), static_cast<std::size_t>(m_seen - 1)));
        others.push_back(own);
        return others;
    }
    TokenGrid m_grid;
    std::int64_t m_side, m_seen;
};

std::shared_ptr<const ChosenWindows> ruleFor(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = chosenWindowsMethod().declaration.schema.complete(given);
    return std::make_shared<const ChosenWindows>(gridOf(inputs, "attention.chosen-windows"), parameters.integer("window"), parameters.integer("windows"));
}

nn::AttentionPtr chosenWindowsOp(const Inputs& inputs, const Parameters& given)
{
    return headwise(inputs.spec, ruleFor(inputs, given));
}

/// Exact attention over what the queries and keys of the moment choose; the choice itself has no gradient.
class ChosenOnTape final : public TapeOperator {
public:
    ChosenOnTape(const Inputs& inputs, const Parameters& given) : m_spec(inputs.spec), m_rule(ruleFor(inputs, given)), m_op(chosenWindowsOp(inputs, given)) {}
    train::Variable<float> mix(train::Tape<float>& tape, const train::AttentionRows<float>& rows) override
    {
        const auto keys = forEachHead(tape, rows.k, m_spec), values = forEachHead(tape, rows.v, m_spec);
        const std::int64_t tokens = rows.q.rows() / rows.sequences, d = m_spec.headDim, heads = m_spec.heads;
        auto* const seen = tape.scratch<std::uint8_t>(rows.sequences * heads * tokens * tokens);
        std::fill_n(seen, rows.sequences * heads * tokens * tokens, std::uint8_t{0});
        const ConstRows q = rows.q.value(), k = keys.value();
        parallelFor(tape.context(), static_cast<std::size_t>(rows.sequences * heads), [&](std::size_t at) {
            const std::int64_t sequence = static_cast<std::int64_t>(at) / heads, head = static_cast<std::int64_t>(at) % heads;
            nn::Scratch scratch(false, RunContext(tape.context().stopToken()));
            const auto own = [&](ConstRows x) { return ConstRows{x.data + sequence * tokens * x.stride + head * d, tokens, d, x.stride}; };
            m_rule->mark(headShape(m_spec), own(q), own(k), seen + static_cast<std::int64_t>(at) * tokens * tokens, scratch);
        });
        return train::maskedAttention(rows.q, keys, values, seen, {.sequences = rows.sequences, .heads = heads, .keyValueHeads = heads, .scale = static_cast<double>(m_spec.scale)});
    }
    nn::AttentionPtr op() const override { return m_op; }

private:
    nn::AttentionSpec m_spec;
    std::shared_ptr<const ChosenWindows> m_rule;
    nn::AttentionPtr m_op;
};
} // namespace

HeadRulePtr chosenWindowsRule(const TokenGrid& grid, std::int64_t side, std::int64_t windows) { return std::make_shared<ChosenWindows>(grid, side, windows); }

Method chosenWindowsMethod()
{
    Method method;
    method.declaration = {
        .id = "attention.chosen-windows",
        .lab = "attention",
        .title = "Windows that choose each other",
        .reference = "After Roy et al. 2021, Routing Transformer, and Lu et al. 2025, MoBA: mean queries choose among mean keys, window by window, without training",
        .schema = ParameterSchema({
            {.name = "windows", .title = "Windows seen", .type = ParameterType::Integer, .defaultValue = std::int64_t{4}, .minimum = 1, .maximum = 1'000'000, .step = 1, .logarithmic = true,
             .help = "By each window, itself among them"},
            {.name = "window", .title = "Window", .type = ParameterType::Integer, .defaultValue = std::int64_t{4}, .minimum = 1, .maximum = 1'000'000, .step = 1, .logarithmic = true, .unit = "patches",
             .help = "Side of a window of the grid; texts: tokens of a run"},
        })};
    method.op = chosenWindowsOp;
    method.onTape = [](const Inputs& inputs, const Parameters& given) { return std::make_unique<ChosenOnTape>(inputs, given); };
    return method;
}

} // namespace tamis::attention
