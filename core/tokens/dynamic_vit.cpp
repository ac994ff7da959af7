// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/dynamic_vit.h"

#include "core/base/error.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/schedule.h"
#include "core/tokens/score_step.h"

#include <algorithm>
#include <cmath>

namespace tamis::tokens {
namespace {
Chain dynamicVitChain(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = dynamicVitMethod().declaration.schema.complete(given);
    const Score score = scoreNamed(parameters.text("score"));
    const nn::PatchSpec& patch = inputs.model->spec().patch;
    const auto patches = static_cast<double>(patch.gridHeight * patch.gridWidth);
    Chain chain;
    int stage = 0;
    for (const int block : blocksOf(parameters.text("blocks"), static_cast<int>(inputs.model->blocks().size()), "blocks")) {
        if (needsAttention(score) && block == 0)
            throw Error(ErrorCode::InvalidParameter, "found block 0, expected 1 or more: before the first block there is no attention to score by", "blocks");
        if (needsAttention(score))
            chain.steps.push_back({block - 1, Place::BetweenBranches, rememberScores(score, inputs.seed)});
        const auto count = static_cast<std::int64_t>(patches * std::pow(parameters.real("keep"), ++stage));
        chain.steps.push_back({block, Place::BeforeBlock, pruneToCount(score, std::max<std::int64_t>(1, count), inputs.seed)});
    }
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
        })};
    method.chain = dynamicVitChain;
    return method;
}

} // namespace tamis::tokens
