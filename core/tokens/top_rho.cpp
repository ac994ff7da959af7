// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/top_rho.h"

#include "core/tokens/protection.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/score_step.h"
#include "core/tokens/seed.h"

namespace tamis::tokens {
namespace {
Chain topRhoChain(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = topRhoMethod().declaration.schema.complete(given);
    const Score score = scoreNamed(parameters.text("score"));
    const std::vector<int> blocks = blocksOf(parameters.text("blocks"), static_cast<int>(inputs.model->blocks().size()), "blocks");
    const std::vector<Keep> keeps = keepsOf(parameters, blocks.size());
    Chain chain;
    for (std::size_t i = 0; i < blocks.size(); ++i)
        chain.steps.push_back({blocks[i], Place::BetweenBranches, pruneByScore(score, keeps[i], seedOf(parameters))});
    protectPatches(inputs.model->spec().patch, parameters, chain);
    requireReducible(*inputs.model, chain);
    prepareScore(score, inputs, chain, context);
    return chain;
}
} // namespace

Method topRhoMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.top-rho",
        .lab = "tokens",
        .title = "Prune by any score (top rho)",
        .reference = "The highest scores stay, a part in each block; scores: class attention, attention received, rollout (Abnar and Zuidema 2020), first-order loss, ATS and others",
        .schema = ParameterSchema({
            scoreParameter(Score::AttentionReceived),
            keepParameter(),
            blocksParameter(),
            scheduleParameter(),
            protectParameter(),
            protectShareParameter(),
            seedParameter("Of the score random alone"),
        })};
    method.chain = topRhoChain;
    method.slowToMake = [](const Parameters& parameters) { return isSlowToPrepare(scoreNamed(parameters.text("score"))); };
    return method;
}

} // namespace tamis::tokens
