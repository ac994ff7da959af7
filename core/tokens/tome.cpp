// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/tome.h"

#include "core/base/error.h"
#include "core/kernels/packed_matrix.h"
#include "core/tokens/matching_metric.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/schedule.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace tamis::tokens {
namespace {
using kernels::ConstRows;
using kernels::Rows;
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

struct Edge {
    std::int32_t first = 0, second = 0; ///< tokens, an even and an odd one
    float similarity = kMinusInfinity;
};

/// Of every even token the odd one that it is most similar to; protected tokens have none.
std::vector<Edge> bestEdges(const Look& look, const std::vector<std::uint8_t>& isProtected)
{
    const std::int64_t tokens = look.x.rows, firsts = (tokens + 1) / 2, seconds = tokens / 2, dim = look.layer.spec.attention.headDim;
    nn::Scratch::Frame frame(look.scratch);
    const Rows metric = frame.take(tokens, dim), similarity = frame.take(firsts, seconds);
    matchingMetric(look, metric, [firsts](std::int64_t i) { return i % 2 == 0 ? i / 2 : firsts + i / 2; });
    const kernels::PackedMatrix odd(ConstRows{metric.data + firsts * metric.stride, seconds, dim, metric.stride});
    kernels::multiply({metric.data, firsts, dim, metric.stride}, odd, {}, similarity, look.scratch.parallel());
    std::vector<Edge> edges(static_cast<std::size_t>(firsts));
    for (std::int64_t i = 0; i < firsts; ++i) {
        Edge& edge = edges[static_cast<std::size_t>(i)];
        edge = {static_cast<std::int32_t>(2 * i), 1, kMinusInfinity};
        if (isProtected[static_cast<std::size_t>(2 * i)])
            continue;
        for (std::int64_t j = 0; j < seconds; ++j)
            if (similarity(i, j) > edge.similarity && !isProtected[static_cast<std::size_t>(2 * j + 1)]) {
                edge.second = static_cast<std::int32_t>(2 * j + 1);
                edge.similarity = similarity(i, j);
            }
    }
    return edges;
}

class MergeStep final : public Reduction {
public:
    explicit MergeStep(std::int64_t r) : m_r(r) {}
    Assignment assign(const Look& look) const override
    {
        requireKeys(look);
        const std::int64_t tokens = look.x.rows, prefix = look.set.prefix;
        const std::vector<std::uint8_t> isProtected = look.set.protectedRows();
        std::int64_t r = std::min(m_r, (tokens - prefix) / 2);
        Assignment a;
        a.scores.assign(static_cast<std::size_t>(tokens), std::numeric_limits<float>::quiet_NaN());
        std::vector<Edge> edges;
        if (r > 0)
            edges = bestEdges(look, isProtected);
        std::ranges::stable_sort(edges, [](const Edge& one, const Edge& other) { return one.similarity > other.similarity; });
        for (const Edge& edge : edges)
            if (edge.similarity > kMinusInfinity)
                a.scores[static_cast<std::size_t>(edge.first)] = edge.similarity;
        const auto partners = std::ranges::count_if(edges, [](const Edge& edge) { return edge.similarity > kMinusInfinity; });
        r = std::min<std::int64_t>(r, partners);
        place(a, edges, tokens, prefix, r);
        return a;
    }

private:
    /// Rows afterwards: the prefix, the even tokens that are left, the odd ones. Without a prefix the even ones by falling similarity.
    static void place(Assignment& a, const std::vector<Edge>& edges, std::int64_t tokens, std::int64_t prefix, std::int64_t r)
    {
        a.to.assign(static_cast<std::size_t>(tokens), -1);
        if (r <= 0) {
            std::iota(a.to.begin(), a.to.end(), 0);
            a.count = tokens;
            return;
        }
        std::vector<std::int32_t> left;
        for (std::size_t i = static_cast<std::size_t>(r); i < edges.size(); ++i)
            left.push_back(edges[i].first);
        if (prefix > 0)
            std::ranges::sort(left);
        for (std::int64_t i = 0; i < prefix; ++i)
            a.to[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(a.count++);
        for (const std::int32_t token : left)
            if (token >= prefix)
                a.to[static_cast<std::size_t>(token)] = static_cast<std::int32_t>(a.count++);
        for (std::int64_t i = 1; i < tokens; i += 2)
            if (i >= prefix)
                a.to[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(a.count++);
        for (std::int64_t i = 0; i < r; ++i) {
            const Edge& edge = edges[static_cast<std::size_t>(i)];
            a.to[static_cast<std::size_t>(edge.first)] = a.to[static_cast<std::size_t>(edge.second)];
        }
    }
    std::int64_t m_r;
};

Chain tomeChain(const Inputs& inputs, const Parameters& given, const RunContext&)
{
    const Parameters parameters = tomeMethod().declaration.schema.complete(given);
    const int depth = static_cast<int>(inputs.model->blocks().size());
    std::vector<std::int64_t> counts = parseIntegers(parameters.text("schedule"), 0, 1'000'000, "schedule");
    if (counts.size() > static_cast<std::size_t>(depth))
        throw Error(ErrorCode::InvalidParameter, "found a list for " + std::to_string(counts.size()) + " blocks, expected at most the " + std::to_string(depth) + " of the model", "schedule");
    if (counts.empty())
        counts = mergeSchedule(depth, parameters.integer("r"), parameters.real("inflection"));
    Chain chain;
    for (std::size_t block = 0; block < counts.size(); ++block)
        if (counts[block] > 0)
            chain.steps.push_back({static_cast<int>(block), Place::BetweenBranches, mergeStep(counts[block])});
    chain.proportionalAttention = parameters.boolean("proportional-attention");
    chain.weightedPool = parameters.boolean("weighted-pool");
    chain.scoreTitle = "Similarity to its best partner (cosine of keys)";
    requireReducible(*inputs.model, chain);
    return chain;
}
} // namespace

ReductionPtr mergeStep(std::int64_t r)
{
    return std::make_shared<MergeStep>(r);
}

tensor::Matrix<float> unmerge(const Assignment& assignment, kernels::ConstRows merged)
{
    if (merged.rows != assignment.count)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(merged.rows) + " merged rows, expected " + std::to_string(assignment.count));
    tensor::Matrix<float> rows(static_cast<std::int64_t>(assignment.to.size()), merged.cols);
    for (std::int64_t i = 0; i < rows.rows(); ++i)
        if (const std::int32_t from = assignment.to[static_cast<std::size_t>(i)]; from >= 0)
            std::ranges::copy(merged.row(from), rows.view().row(i).begin());
    return rows;
}

Method tomeMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.tome",
        .lab = "tokens",
        .title = "Merge (ToMe)",
        .reference = "Bolya et al. 2023, Token Merging: bipartite soft matching of keys, merged by size, with proportional attention",
        .schema = ParameterSchema({
            {.name = "r", .title = "Merged a block", .type = ParameterType::Integer, .defaultValue = std::int64_t{8}, .minimum = 0, .maximum = 1024, .step = 1,
             .help = "Tokens that every block merges into others, on the average over the blocks; half of those there are at most"},
            {.name = "inflection", .title = "Inflection", .type = ParameterType::Real, .defaultValue = 0.0, .minimum = -1, .maximum = 1, .step = 0.1,
             .help = "-1: from 2 r in the first block down to 0 in the last; 0: the same in all; 1: rising"},
            {.name = "schedule", .title = "Schedule", .type = ParameterType::Text, .defaultValue = std::string(),
             .help = "Tokens to merge in block after block, as 16,16,8; blocks beyond the list merge none. Empty: r and inflection"},
            {.name = "proportional-attention", .title = "Proportional attention", .type = ParameterType::Boolean, .defaultValue = true,
             .help = "Adds the log of a token's size to the scores of its key; off for models that were not trained with labels (MAE)"},
            {.name = "weighted-pool", .title = "Pool by size", .type = ParameterType::Boolean, .defaultValue = true,
             .help = "Models that pool by the mean: every token counts as many times as the patches it stands for"},
        })};
    method.chain = tomeChain;
    return method;
}

} // namespace tamis::tokens
