// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/top_rho.h"

#include "core/base/error.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/schedule.h"
#include "core/tokens/score_step.h"

namespace tamis::tokens {
namespace {
Chain topRhoChain(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = topRhoMethod().declaration.schema.complete(given);
    const Score score = scoreNamed(parameters.text("score"));
    const std::vector<int> blocks = blocksOf(parameters.text("blocks"), static_cast<int>(inputs.model->blocks().size()), "blocks");
    std::vector<double> keeps = parseNumbers(parameters.text("schedule"), 0.01, 1, "schedule");
    if (keeps.empty())
        keeps.assign(blocks.size(), parameters.real("keep"));
    if (keeps.size() != blocks.size())
        throw Error(ErrorCode::InvalidParameter, "found a list of " + std::to_string(keeps.size()) + " keeps, expected one for each of " + std::to_string(blocks.size()) + " blocks", "schedule");
    Chain chain;
    for (std::size_t i = 0; i < blocks.size(); ++i)
        chain.steps.push_back({blocks[i], Place::BetweenBranches, pruneByScore(score, keeps[i], inputs.seed)});
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
            {.name = "schedule", .title = "Schedule", .type = ParameterType::Text, .defaultValue = std::string(),
             .help = "A keep for each of the blocks instead, as 0.9,0.7,0.5; empty: keep in all"},
        })};
    method.chain = topRhoChain;
    return method;
}

} // namespace tamis::tokens
