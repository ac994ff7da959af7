// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/band.h"

#include "core/attention/softmax_mix.h"
#include "core/attention/tape_assignment.h"
#include "core/linalg/float_product.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using kernels::Rows;
using linalg::floatProduct;
using linalg::Turn;

constexpr std::int64_t kBlock = 32; ///< queries at once

struct Span {
    std::int64_t first = 0, end = 0;
    std::int64_t count() const noexcept { return std::max<std::int64_t>(0, end - first); }
};

class Band final : public HeadRule {
public:
    Band(std::int64_t reach, std::int64_t global) : m_reach(reach), m_global(global) {}
    std::string_view kind() const noexcept override { return "band"; }
    /// Of the pairs that are seen, as those of exact attention are counted (visible_pairs.h); what a block of queries is multiplied by beyond them is masked, and not counted.
    std::uint64_t macs(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override
    {
        std::int64_t pairs = 0;
        for (std::int64_t i = 0; i < tokens; ++i) {
            const bool all = i < m_global;
            const std::int64_t least = shape.causal && shape.slidingWindow > 0 ? std::max<std::int64_t>(0, i + 1 - shape.slidingWindow) : 0;
            const std::int64_t near = all ? 0 : std::max<std::int64_t>(0, i - m_reach), end = shape.causal ? i + 1 : all ? tokens : std::min(tokens, i + m_reach + 1);
            pairs += end - std::max(least, near) + std::max<std::int64_t>(0, std::min(m_global, near) - least);
        }
        return static_cast<std::uint64_t>(pairs * (shape.dim + width));
    }
    std::uint64_t liveFloats(const HeadShape& shape, std::int64_t tokens, std::int64_t) const noexcept override
    {
        std::int64_t most = 0;
        forBlocks(shape.causal, tokens, [&](Span queries, Span far, Span near, bool) { most = std::max(most, queries.count() * (far.count() + near.count())); });
        return static_cast<std::uint64_t>(most);
    }
    void mix(const HeadShape& shape, ConstRows q, ConstRows k, ConstRows v, Rows out, nn::Scratch& scratch) const override
    {
        forBlocks(shape.causal, q.rows, [&](Span queries, Span far, Span near, bool all) { block(shape, q, k, v, out, queries, far, near, all, scratch); });
    }

private:
    /// each(queries, far keys, near keys, whether they see all).
    template <class Each> void forBlocks(bool causal, std::int64_t tokens, const Each& each) const
    {
        const std::int64_t global = std::min(m_global, tokens);
        for (std::int64_t first = 0; first < global; first += kBlock)
            each(Span{first, std::min(global, first + kBlock)}, Span{0, 0}, Span{0, tokens}, true);
        for (std::int64_t first = global; first < tokens; first += kBlock) {
            const std::int64_t end = std::min(tokens, first + kBlock);
            const Span near{std::max<std::int64_t>(0, first - m_reach), causal ? end : std::min(tokens, end + m_reach)};
            each(Span{first, end}, Span{0, std::min(global, near.first)}, near, false);
        }
    }
    bool sees(const HeadShape& shape, std::int64_t query, std::int64_t key, bool all) const noexcept
    {
        if (shape.causal && (key > query || (shape.slidingWindow > 0 && key <= query - shape.slidingWindow)))
            return false;
        return all || key < m_global || (key >= query - m_reach && key <= query + m_reach);
    }
    /// Queries of one block over the far keys (the first ones) and the near ones; a query always sees itself.
    void block(const HeadShape& shape, ConstRows q, ConstRows k, ConstRows v, Rows out, Span queries, Span far, Span near, bool all, nn::Scratch& scratch) const
    {
        scratch.context().throwIfStopped();
        nn::Scratch::Frame frame(scratch);
        const Rows p = frame.take(queries.count(), far.count() + near.count());
        const ConstRows own{q.data + queries.first * q.stride, queries.count(), q.cols, q.stride};
        const auto part = [&](Span span, std::int64_t column) { return Rows{p.data + column, p.rows, span.count(), p.stride}; };
        const auto rows = [](ConstRows x, Span span) { return ConstRows{x.data + span.first * x.stride, span.count(), x.cols, x.stride}; };
        floatProduct(Turn::None, Turn::Transpose, shape.scale, own, rows(k, far), 0, part(far, 0));
        floatProduct(Turn::None, Turn::Transpose, shape.scale, own, rows(k, near), 0, part(near, far.count()));
        for (std::int64_t i = 0; i < p.rows; ++i) {
            for (std::int64_t j = 0; j < p.cols; ++j)
                if (!sees(shape, queries.first + i, j < far.count() ? far.first + j : near.first + j - far.count(), all))
                    p.data[i * p.stride + j] = -std::numeric_limits<float>::infinity();
            softmaxOf(p.row(i));
        }
        const Rows to{out.data + queries.first * out.stride, queries.count(), out.cols, out.stride};
        floatProduct(Turn::None, Turn::None, 1, part(near, far.count()), rows(v, near), 0, to);
        if (far.count() > 0)
            floatProduct(Turn::None, Turn::None, 1, part(far, 0), rows(v, far), 1, to);
    }
    std::int64_t m_reach, m_global;
};

nn::AttentionPtr bandOp(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = bandMethod().declaration.schema.complete(given);
    const std::int64_t global = parameters.integer("global");
    return headwise(inputs.spec, bandRule(parameters.integer("reach"), global < 0 ? inputs.prefix : global));
}
} // namespace

HeadRulePtr bandRule(std::int64_t reach, std::int64_t global) { return std::make_shared<Band>(reach, global); }

Method bandMethod()
{
    Method method;
    method.declaration = {
        .id = "attention.band",
        .lab = "attention",
        .title = "Neighbours and first tokens (sliding window)",
        .reference = "Beltagy et al. 2020, Longformer: a window along the sequence, and tokens that all see and that see all",
        .schema = ParameterSchema({
            {.name = "reach", .title = "Reach", .type = ParameterType::Integer, .defaultValue = std::int64_t{32}, .minimum = 0, .maximum = 1'000'000, .unit = "tokens",
             .help = "Tokens to either side; causal: before"},
            {.name = "global", .title = "Global tokens", .type = ParameterType::Integer, .defaultValue = std::int64_t{-1}, .minimum = -1, .maximum = 1'000'000, .unit = "tokens",
             .help = "The first so many see all and are seen by all; -1: those before the patches (class, registers)"},
        })};
    method.op = bandOp;
    method.onTape = [](const Inputs& inputs, const Parameters& given) {
        const Parameters parameters = bandMethod().declaration.schema.complete(given);
        const std::int64_t reach = parameters.integer("reach"), asked = parameters.integer("global"), global = asked < 0 ? inputs.prefix : asked;
        return maskedOnTape(inputs.spec, [=](std::int64_t, std::int64_t query, std::int64_t key) { return query < global || key < global || std::abs(query - key) <= reach; }, bandOp(inputs, given));
    };
    return method;
}

} // namespace tamis::attention
