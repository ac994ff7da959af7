// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/merge.h"

#include "core/base/error.h"
#include "core/tokens/matching.h"
#include "core/tokens/matching_metric.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/schedule.h"
#include "core/tokens/scores.h"
#include "core/tokens/seed.h"
#include "core/tokens/selection.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

namespace tamis::tokens {
namespace {
using kernels::Rows;
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr float kLeastWeight = 1e-30f; ///< attention may underflow to 0, and a mean of weights 0 is none

constexpr std::array<std::pair<std::string_view, Matching>, 6> kMatchings{{{"alternate", Matching::Alternate}, {"random", Matching::Random}, {"greedy", Matching::Greedy},
                                                                          {"hungarian", Matching::Hungarian}, {"lsh", Matching::Lsh}, {"nearest", Matching::Nearest}}};
constexpr std::array<std::pair<std::string_view, MergeWeights>, 4> kWeights{{{"size", MergeWeights::Size}, {"plain", MergeWeights::Plain},
                                                                            {"class-attention", MergeWeights::ClassAttention}, {"attention-received", MergeWeights::AttentionReceived}}};

template <class Table> std::vector<std::string> namesOf(const Table& table)
{
    std::vector<std::string> names;
    for (const auto& entry : table)
        names.emplace_back(entry.first);
    return names;
}

template <class Table> auto named(const Table& table, const std::string& name)
{
    const auto found = std::ranges::find(table, name, [](const auto& entry) { return entry.first; });
    if (found == table.end()) // the schema lets none but these through
        throw Error(ErrorCode::InvalidParameter, "found '" + name + "', expected one of those that the method lists");
    return found->second;
}

class MergeStep final : public Reduction {
public:
    MergeStep(std::int64_t r, const MergeSettings& settings) : m_r(r), m_with(settings) {}
    Assignment assign(const Look& look) const override
    {
        requireKeys(look);
        const std::int64_t r = std::min(m_r, (look.x.rows - look.set.prefix) / 2);
        std::vector<float> similarities(static_cast<std::size_t>(look.x.rows), std::numeric_limits<float>::quiet_NaN());
        if (r <= 0)
            return keepAll(look.set, similarities);
        Assignment a = m_with.matching == Matching::Greedy ? greedy(look, r, similarities) : betweenHalves(look, r, similarities);
        a.scores = std::move(similarities);
        if (a.count < look.x.rows)
            a.weights = weights(look);
        return a;
    }

private:
    Assignment betweenHalves(const Look& look, std::int64_t r, std::vector<float>& similarities) const
    {
        const std::vector<std::uint8_t> isProtected = look.set.protectedRows();
        const Halves halves = m_with.matching == Matching::Random ? randomHalves(look, m_with.seed) : alternateHalves(look.x.rows);
        nn::Scratch::Frame frame(look.scratch);
        const Rows similarity = frame.take(static_cast<std::int64_t>(halves.first.size()), static_cast<std::int64_t>(halves.second.size()));
        keyCosines(look, halves.first, halves.second, similarity);
        forbidProtected(isProtected, halves.first, halves.second, similarity);
        forbidDistant(look.set, m_with.radius, halves.first, halves.second, similarity);
        if (m_with.matching == Matching::Lsh)
            forbidOtherBuckets(look, m_with.hyperplanes, m_with.tables, m_with.seed, halves, similarity);
        if (m_with.matching == Matching::Nearest)
            forbidBeyondNeighbours(look, isProtected, m_with.neighbours, m_with.mutualNeighbours, halves, similarity);
        std::vector<Edge> edges = bestPartners(halves, similarity);
        for (const Edge& edge : edges)
            if (edge.similarity > kMinusInfinity)
                similarities[static_cast<std::size_t>(edge.first)] = edge.similarity;
        if (m_with.matching == Matching::Hungarian)
            edges = optimalPartners(halves, similarity, r, look.scratch.context());
        return mergeHalves(halves, std::move(edges), look.x.rows, look.set.prefix, r);
    }
    /// The later of a pair goes to the earlier; order is kept.
    Assignment greedy(const Look& look, std::int64_t r, std::vector<float>& similarities) const
    {
        const std::vector<std::uint8_t> isProtected = look.set.protectedRows();
        std::vector<std::int32_t> tokens(static_cast<std::size_t>(look.x.rows));
        std::iota(tokens.begin(), tokens.end(), 0);
        nn::Scratch::Frame frame(look.scratch);
        const Rows similarity = frame.take(look.x.rows, look.x.rows);
        keyCosines(look, tokens, tokens, similarity);
        forbidProtected(isProtected, tokens, tokens, similarity);
        forbidDistant(look.set, m_with.radius, tokens, tokens, similarity);
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            float best = kMinusInfinity;
            for (std::size_t j = 0; j < tokens.size(); ++j)
                if (j != i)
                    best = std::max(best, similarity(tokens[i], tokens[j]));
            if (best > kMinusInfinity)
                similarities[i] = best;
        }
        Assignment a;
        a.to.assign(tokens.size(), 0);
        const std::vector<Edge> edges = greedyPairs(similarity, r, look.scratch.context());
        for (const Edge& edge : edges)
            a.to[static_cast<std::size_t>(edge.first)] = -1;
        for (std::int32_t& to : a.to)
            if (to == 0)
                to = static_cast<std::int32_t>(a.count++);
        for (const Edge& edge : edges)
            a.to[static_cast<std::size_t>(edge.first)] = a.to[static_cast<std::size_t>(edge.second)];
        return a;
    }
    /// Empty: the sizes.
    std::vector<float> weights(const Look& look) const
    {
        if (m_with.weights == MergeWeights::Size)
            return {};
        if (m_with.weights == MergeWeights::Plain)
            return std::vector<float>(static_cast<std::size_t>(look.x.rows), 1.0f);
        std::vector<float> attention = scoreTokens(m_with.weights == MergeWeights::ClassAttention ? Score::ClassAttention : Score::AttentionReceived, look);
        for (float& weight : attention)
            weight = std::max(weight, kLeastWeight);
        return attention;
    }
    std::int64_t m_r;
    MergeSettings m_with;
};

Chain mergeChain(const Inputs& inputs, const Parameters& given, const RunContext&)
{
    const Parameters parameters = mergeMethod().declaration.schema.complete(given);
    MergeSettings settings;
    settings.matching = named(kMatchings, parameters.text("matching"));
    settings.weights = named(kWeights, parameters.text("weights"));
    settings.radius = parameters.real("radius");
    settings.neighbours = parameters.integer("neighbours");
    settings.mutualNeighbours = parameters.boolean("mutual");
    settings.hyperplanes = static_cast<int>(parameters.integer("hyperplanes"));
    settings.tables = static_cast<int>(parameters.integer("tables"));
    settings.seed = seedOf(parameters);
    const nn::ModelSpec& spec = inputs.model->spec();
    if (settings.weights == MergeWeights::ClassAttention && !spec.patch.classToken)
        throw Error(ErrorCode::UnsupportedFeature, "found a model without a class token, expected one to weigh merged tokens by its attention", spec.architecture);
    return mergingChain(*inputs.model, parameters, settings);
}

/// Tokens to merge in the blocks from the first on, by r, inflection and schedule. Throws Error{InvalidParameter}.
std::vector<std::int64_t> mergeCounts(const Parameters& parameters, int depth)
{
    std::vector<std::int64_t> counts = parseIntegers(parameters.text("schedule"), 0, 1'000'000, "schedule");
    if (counts.size() > static_cast<std::size_t>(depth))
        throw Error(ErrorCode::InvalidParameter, "found a list for " + std::to_string(counts.size()) + " blocks, expected at most the " + std::to_string(depth) + " of the model", "schedule");
    return counts.empty() ? mergeSchedule(depth, parameters.integer("r"), parameters.real("inflection")) : counts;
}
} // namespace

ReductionPtr mergeStep(std::int64_t r, const MergeSettings& settings)
{
    return std::make_shared<MergeStep>(r, settings);
}

ParameterSpec mergedParameter()
{
    return {.name = "r", .title = "Merged a block", .type = ParameterType::Integer, .defaultValue = std::int64_t{8}, .minimum = 0, .maximum = 1024, .step = 1,
            .help = "Tokens that every block merges into others, on the average over the blocks; half of those there are at most"};
}

ParameterSpec inflectionParameter()
{
    return {.name = "inflection", .title = "Inflection", .type = ParameterType::Real, .defaultValue = 0.0, .minimum = -1, .maximum = 1, .step = 0.1,
            .help = "-1: from 2 r in the first block down to 0 in the last; 0: the same in all; 1: rising"};
}

ParameterSpec mergeScheduleParameter()
{
    return {.name = "schedule", .title = "Schedule", .type = ParameterType::Text, .defaultValue = std::string(),
            .help = "Tokens to merge in block after block, as 16,16,8; blocks beyond the list merge none. Empty: r and inflection"};
}

ParameterSpec proportionalAttentionParameter()
{
    return {.name = "proportional-attention", .title = "Proportional attention", .type = ParameterType::Boolean, .defaultValue = true,
            .help = "Adds the log of a token's size to the scores of its key; off for models that were not trained with labels (MAE)"};
}

ParameterSpec weightedPoolParameter()
{
    return {.name = "weighted-pool", .title = "Pool by size", .type = ParameterType::Boolean, .defaultValue = true,
            .help = "Models that pool by the mean: every token counts as many times as the patches it stands for"};
}

Chain mergingChain(const nn::Model& model, const Parameters& parameters, const MergeSettings& settings)
{
    const std::vector<std::int64_t> counts = mergeCounts(parameters, static_cast<int>(model.blocks().size()));
    Chain chain;
    for (std::size_t block = 0; block < counts.size(); ++block)
        if (counts[block] > 0)
            chain.steps.push_back({static_cast<int>(block), Place::BetweenBranches, mergeStep(counts[block], settings)});
    chain.proportionalAttention = parameters.boolean("proportional-attention");
    chain.weightedPool = parameters.boolean("weighted-pool");
    chain.scoreTitle = "Similarity to its best partner (cosine of keys)";
    requireReducible(model, chain);
    return chain;
}

Method mergeMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.merge",
        .lab = "tokens",
        .title = "Merge, other matchings and weights",
        .reference = "Bolya et al. 2023, Token Merging, with random halves, greedy and optimal matching, hashing and nearest neighbours, plain and attention-weighted means, a radius",
        .schema = ParameterSchema({
            mergedParameter(),
            inflectionParameter(),
            mergeScheduleParameter(),
            {.name = "matching", .title = "Matching", .type = ParameterType::Choice, .defaultValue = std::string("alternate"),
             .help = "Who may merge with whom: even tokens into odd ones (ToMe), random halves, best pair first, the best pairs in sum, buckets of alike keys, nearest neighbours",
             .choices = namesOf(kMatchings)},
            {.name = "weights", .title = "Weights", .type = ParameterType::Choice, .defaultValue = std::string("size"),
             .help = "Of the mean that merged tokens become: patches that each stands for (ToMe), all alike, attention of the class token, attention received", .choices = namesOf(kWeights)},
            {.name = "radius", .title = "Radius", .type = ParameterType::Real, .defaultValue = 0.0, .minimum = 0, .maximum = 1000, .step = 0.5, .unit = "patches",
             .help = "Only tokens whose patches lie no farther apart in the mean; 0: any"},
            {.name = "neighbours", .title = "Neighbours", .type = ParameterType::Integer, .defaultValue = std::int64_t{8}, .minimum = 1, .maximum = 100'000, .step = 1, .logarithmic = true,
             .help = "Matching nearest: a token merges only with one of that many most similar tokens"},
            {.name = "mutual", .title = "Mutual neighbours", .type = ParameterType::Boolean, .defaultValue = false, .help = "Matching nearest: and only where it is one of those of the other"},
            {.name = "hyperplanes", .title = "Hyperplanes", .type = ParameterType::Integer, .defaultValue = std::int64_t{4}, .minimum = 0, .maximum = 24, .step = 1,
             .help = "Matching lsh: random hyperplanes that cut the keys into buckets, in each table; 0: one bucket"},
            {.name = "tables", .title = "Tables", .type = ParameterType::Integer, .defaultValue = std::int64_t{4}, .minimum = 1, .maximum = 64, .step = 1,
             .help = "Matching lsh: tables of buckets; one in common lets two tokens merge"},
            proportionalAttentionParameter(),
            weightedPoolParameter(),
            seedParameter("Of the matchings random and lsh alone"),
        })};
    method.chain = mergeChain;
    return method;
}

} // namespace tamis::tokens
