// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/ats.h"

#include "core/tokens/protection.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/schedule.h"
#include "core/tokens/scores.h"
#include "core/tokens/selection.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::tokens {
namespace {
class AtsStep final : public Reduction {
public:
    AtsStep(std::int64_t samples, std::int64_t least) : m_samples(samples), m_least(least) {}
    Assignment assign(const Look& look) const override
    {
        const std::vector<float> scores = scoreTokens(Score::AttentionValueNorm, look);
        const auto prefix = static_cast<std::size_t>(look.set.prefix);
        const std::int64_t patches = look.set.tokens() - look.set.prefix;
        if (patches <= m_least)
            return keepAll(look.set, scores);
        const std::vector<std::int32_t> sampled = sampleByCumulativeShare(std::span(scores).subspan(prefix), m_samples);
        // sampled ones before all others, which follow by score while there are fewer than the least
        std::vector<float> rank(scores.begin(), scores.end());
        for (const std::int32_t patch : sampled)
            rank[prefix + static_cast<std::size_t>(patch)] += 2; // scores are shares of 1
        Assignment a = keepBest(look.set, rank, std::max<std::int64_t>(m_least, static_cast<std::int64_t>(sampled.size())));
        a.scores = scores;
        return a;
    }

private:
    std::int64_t m_samples, m_least;
};

/// "auto" of ATS: from a quarter of the depth on, every block.
std::vector<int> atsBlocks(const std::string& text, int depth)
{
    if (text != "auto")
        return blocksOf(text, depth, "blocks");
    std::vector<int> blocks(static_cast<std::size_t>(depth - depth / 4));
    std::iota(blocks.begin(), blocks.end(), depth / 4);
    return blocks;
}

Chain atsChain(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = atsMethod().declaration.schema.complete(given);
    const nn::PatchSpec& patch = inputs.model->spec().patch;
    const std::int64_t patches = patch.gridHeight * patch.gridWidth;
    const std::int64_t samples = parameters.integer("most") > 0 ? parameters.integer("most") : patches; // in every block, however few patches are left
    Chain chain;
    for (const int block : atsBlocks(parameters.text("blocks"), static_cast<int>(inputs.model->blocks().size())))
        chain.steps.push_back({block, Place::BetweenBranches, atsStep(samples, parameters.integer("least"))});
    protectPatches(patch, parameters, chain);
    requireReducible(*inputs.model, chain);
    prepareScore(Score::AttentionValueNorm, inputs, chain, context);
    return chain;
}
} // namespace

std::vector<std::int32_t> sampleByCumulativeShare(std::span<const float> scores, std::int64_t samples)
{
    std::vector<std::int32_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](std::int32_t one, std::int32_t other) { return scores[static_cast<std::size_t>(one)] < scores[static_cast<std::size_t>(other)]; });
    std::vector<double> share; // running sums, less the first
    double sum = 0;
    for (std::size_t i = 0; i < order.size(); ++i)
        share.push_back(i == 0 ? 0.0 : sum += static_cast<double>(scores[static_cast<std::size_t>(order[i])]));
    std::vector<std::int32_t> picked;
    if (order.empty() || samples < 1)
        return picked;
    if (!(sum > 0) || samples == 1)
        return {sum > 0 ? order.back() : 0};
    auto nearest = static_cast<std::size_t>(std::ranges::find_if(share, [](double value) { return value > 0; }) - share.begin());
    const double first = share[nearest] / sum;
    for (std::int64_t i = 0; i < samples; ++i) {
        const double y = first + (1 - first) * static_cast<double>(i) / static_cast<double>(samples - 1);
        while (nearest + 1 < share.size() && std::abs(share[nearest + 1] / sum - y) < std::abs(share[nearest] / sum - y))
            ++nearest;
        if (picked.empty() || picked.back() != order[nearest])
            picked.push_back(order[nearest]);
    }
    std::ranges::sort(picked);
    return picked;
}

ReductionPtr atsStep(std::int64_t samples, std::int64_t least)
{
    return std::make_shared<AtsStep>(samples, least);
}

Method atsMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.ats",
        .lab = "tokens",
        .title = "Adaptive sampling (ATS)",
        .reference = "Fayyaz et al. 2022, Adaptive Token Sampling: inverse transform of the cumulative class attention times value norm",
        .schema = ParameterSchema({
            {.name = "most", .title = "At most", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 100'000, .step = 1, .logarithmic = true,
             .unit = "patches", .help = "Samples in each block: no more patches stay; 0: as many as the whole model has patches"},
            {.name = "least", .title = "At least", .type = ParameterType::Integer, .defaultValue = std::int64_t{8}, .minimum = 1, .maximum = 100'000, .step = 1, .logarithmic = true,
             .unit = "patches", .help = "Patches that stay in any image"},
            {.name = "blocks", .title = "Blocks", .type = ParameterType::Text, .defaultValue = std::string("auto"),
             .help = "Where patches are sampled, from 0, as 3,4,5; auto: all blocks from a quarter of the depth on"},
            protectParameter(),
            protectShareParameter(),
        })};
    method.chain = atsChain;
    return method;
}

} // namespace tamis::tokens
