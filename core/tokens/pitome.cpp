// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/pitome.h"

#include "core/kernels/packed_matrix.h"
#include "core/tokens/matching_metric.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/schedule.h"
#include "core/tokens/selection.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::tokens {
namespace {
using kernels::Rows;

class EnergyMergeStep final : public Reduction {
public:
    EnergyMergeStep(double keep, double margin) : m_keep(keep), m_margin(static_cast<float>(margin)) {}
    Assignment assign(const Look& look) const override
    {
        requireKeys(look);
        const std::int64_t tokens = look.x.rows, dim = look.layer.spec.attention.headDim;
        nn::Scratch::Frame frame(look.scratch);
        const Rows metric = frame.take(tokens, dim), similarity = frame.take(tokens, tokens);
        matchingMetric(look, metric, [](std::int64_t i) { return i; });
        kernels::multiply(metric, kernels::PackedMatrix(metric), {}, similarity, look.scratch.parallel());
        const std::vector<float> energy = energies(similarity, look.set.prefix);
        std::vector<std::int32_t> mergeable; // by falling energy
        const std::vector<std::uint8_t> isProtected = look.set.protectedRows();
        for (std::int64_t i = 0; i < tokens; ++i)
            if (!isProtected[static_cast<std::size_t>(i)])
                mergeable.push_back(static_cast<std::int32_t>(i));
        std::ranges::stable_sort(mergeable, [&](std::int32_t one, std::int32_t other) { return energy[static_cast<std::size_t>(one)] > energy[static_cast<std::size_t>(other)]; });
        const auto patches = static_cast<double>(tokens - look.set.prefix);
        const std::size_t r = std::min(static_cast<std::size_t>(std::floor(patches - patches * m_keep)), mergeable.size() / 2);
        mergeable.resize(2 * r);
        return merged(look.set, mergeable, similarity, energy);
    }

private:
    /// Mean over the patches of elu(cosine - margin).
    std::vector<float> energies(Rows similarity, std::int64_t prefix) const
    {
        std::vector<float> energy(static_cast<std::size_t>(similarity.rows));
        for (std::int64_t i = prefix; i < similarity.rows; ++i) {
            double sum = 0;
            for (std::int64_t j = prefix; j < similarity.cols; ++j) {
                const float above = similarity(i, j) - m_margin;
                sum += above > 0 ? static_cast<double>(above) : std::expm1(static_cast<double>(above));
            }
            energy[static_cast<std::size_t>(i)] = static_cast<float>(sum / static_cast<double>(similarity.cols - prefix));
        }
        return energy;
    }
    /// Every other one of `pairs`, from the first, goes to the most similar one of those between. Order is kept.
    static Assignment merged(const TokenSet& set, const std::vector<std::int32_t>& pairs, Rows similarity, const std::vector<float>& energy)
    {
        Assignment a = keepAll(set, energy);
        std::vector<std::int32_t> target(a.to.size(), -1);
        for (std::size_t i = 0; i < pairs.size(); i += 2) {
            std::int32_t best = pairs[1];
            for (std::size_t j = 1; j < pairs.size(); j += 2)
                if (similarity(pairs[i], pairs[j]) > similarity(pairs[i], best))
                    best = pairs[j];
            target[static_cast<std::size_t>(pairs[i])] = best;
        }
        a.count = 0;
        for (std::size_t i = 0; i < target.size(); ++i)
            if (target[i] < 0)
                a.to[i] = static_cast<std::int32_t>(a.count++);
        for (std::size_t i = 0; i < target.size(); ++i)
            if (target[i] >= 0)
                a.to[i] = a.to[static_cast<std::size_t>(target[i])];
        return a;
    }
    double m_keep;
    float m_margin;
};

Chain pitomeChain(const Inputs& inputs, const Parameters& given, const RunContext&)
{
    const Parameters parameters = pitomeMethod().declaration.schema.complete(given);
    const int depth = static_cast<int>(inputs.model->blocks().size());
    std::vector<int> blocks(static_cast<std::size_t>(depth));
    std::iota(blocks.begin(), blocks.end(), 0);
    if (parameters.text("blocks") != "all")
        blocks = blocksOf(parameters.text("blocks"), depth, "blocks");
    Chain chain;
    for (const int block : blocks)
        chain.steps.push_back({block, Place::BetweenBranches, energyMergeStep(parameters.real("keep"), parameters.real("margin") * (1 - static_cast<double>(block) / depth))});
    chain.proportionalAttention = parameters.boolean("proportional-attention");
    chain.scoreTitle = "Energy: how many tokens are alike (mean elu of cosine above the margin)";
    requireReducible(*inputs.model, chain);
    return chain;
}
} // namespace

ReductionPtr energyMergeStep(double keep, double margin)
{
    return std::make_shared<EnergyMergeStep>(keep, margin);
}

Method pitomeMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.pitome",
        .lab = "tokens",
        .title = "Merge by energy (PiToMe)",
        .reference = "Tran et al. 2024, PiToMe: tokens that many are alike to merge first, lone ones are protected",
        .schema = ParameterSchema({
            {.name = "keep", .title = "Keep", .type = ParameterType::Real, .defaultValue = 0.9, .minimum = 0.05, .maximum = 1, .step = 0.01,
             .help = "Part of the patches that each block keeps, half of them at least; the others, rounded down, are merged"},
            {.name = "margin", .title = "Margin", .type = ParameterType::Real, .defaultValue = 0.9, .minimum = 0, .maximum = 1, .step = 0.05,
             .help = "Cosine above which tokens count as alike in the first block; falls evenly, to 0 behind the last"},
            {.name = "blocks", .title = "Blocks", .type = ParameterType::Text, .defaultValue = std::string("all"),
             .help = "Where patches are merged, from 0, as 3,6,9; all; auto: a quarter, a half and three quarters of the depth"},
            {.name = "proportional-attention", .title = "Proportional attention", .type = ParameterType::Boolean, .defaultValue = true,
             .help = "Adds the log of a token's size to the scores of its key"},
        })};
    method.chain = pitomeChain;
    return method;
}

} // namespace tamis::tokens
