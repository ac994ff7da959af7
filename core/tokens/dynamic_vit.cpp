// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/dynamic_vit.h"

#include "core/base/error.h"
#include "core/tokens/protection.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/score_step.h"
#include "core/tokens/seed.h"

#include <algorithm>
#include <cmath>

namespace tamis::tokens {
namespace {
/// int(patches keep^k) from stage k on; of a schedule the product of its parts so far, a number counting for itself.
std::vector<std::int64_t> stageCounts(const Parameters& parameters, std::size_t stages, std::int64_t patches)
{
    const bool listed = !parseKeeps(parameters.text("schedule"), "schedule").empty();
    std::vector<std::int64_t> counts;
    double left = static_cast<double>(patches);
    for (const Keep& keep : keepsOf(parameters, stages)) {
        left = keep.count > 0 ? std::min(static_cast<double>(keep.count), left) : left * keep.part;
        const double count = listed ? left : static_cast<double>(patches) * std::pow(keep.part, static_cast<double>(counts.size() + 1));
        counts.push_back(std::max<std::int64_t>(1, static_cast<std::int64_t>(count)));
    }
    return counts;
}

Chain dynamicVitChain(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = dynamicVitMethod().declaration.schema.complete(given);
    const Score score = scoreNamed(parameters.text("score"));
    const nn::PatchSpec& patch = inputs.model->spec().patch;
    const std::vector<int> blocks = blocksOf(parameters.text("blocks"), static_cast<int>(inputs.model->blocks().size()), "blocks");
    const std::vector<std::int64_t> counts = stageCounts(parameters, blocks.size(), patch.gridHeight * patch.gridWidth);
    Chain chain;
    for (std::size_t stage = 0; stage < blocks.size(); ++stage) {
        const int block = blocks[stage];
        if (needsAttention(score) && block == 0)
            throw Error(ErrorCode::InvalidParameter, "found block 0, expected 1 or more: before the first block there is no attention to score by", "blocks");
        if (needsAttention(score))
            chain.steps.push_back({block - 1, Place::BetweenBranches, rememberScores(score, seedOf(parameters))});
        chain.steps.push_back({block, Place::BeforeBlock, pruneToCount(score, counts[stage], seedOf(parameters))});
    }
    protectPatches(patch, parameters, chain);
    requireReducible(*inputs.model, chain);
    prepareScore(score, inputs, chain, context);
    return chain;
}
} // namespace

Method dynamicVitMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.dynamicvit",
        .lab = "tokens",
        .title = "DynamicViT's schedule",
        .reference = "Rao et al. 2021, DynamicViT: int(patches keep^k) patches from the k-th stage on; here by any score instead of a trained predictor",
        .schema = ParameterSchema({
            scoreParameter(Score::ClassAttention),
            {.name = "keep", .title = "Keep", .type = ParameterType::Real, .defaultValue = 0.7, .minimum = 0.05, .maximum = 1, .step = 0.05,
             .help = "Part of the patches of the stage before that each stage keeps"},
            {.name = "blocks", .title = "Blocks", .type = ParameterType::Text, .defaultValue = std::string("auto"),
             .help = "Before which blocks stages begin, from 0, as 3,6,9; auto: a quarter, a half and three quarters of the depth"},
            scheduleParameter(),
            protectParameter(),
            protectShareParameter(),
            seedParameter("Of the score random alone"),
        })};
    method.chain = dynamicVitChain;
    method.slowToMake = [](const Parameters& parameters) { return isSlowToPrepare(scoreNamed(parameters.text("score"))); };
    return method;
}

} // namespace tamis::tokens
