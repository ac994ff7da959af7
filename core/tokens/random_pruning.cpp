// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/random_pruning.h"

#include "core/tokens/reduced_forward.h"
#include "core/tokens/schedule.h"
#include "core/tokens/score_step.h"

namespace tamis::tokens {
namespace {
Chain randomChain(const Inputs& inputs, const Parameters& given, const RunContext&)
{
    const Parameters parameters = randomPruningMethod().declaration.schema.complete(given);
    Chain chain;
    for (const int block : blocksOf(parameters.text("blocks"), static_cast<int>(inputs.model->blocks().size()), "blocks"))
        chain.steps.push_back({block, Place::BetweenBranches, pruneByScore(Score::Random, parameters.real("keep"), inputs.seed)});
    chain.scoreTitle = scoreTitle(Score::Random);
    requireReducible(*inputs.model, chain);
    return chain;
}
} // namespace

Method randomPruningMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.random",
        .lab = "tokens",
        .title = "Random pruning (baseline)",
        .reference = "Trivial baseline: patches drawn at random, others in every image",
        .schema = ParameterSchema({
            keepParameter(),
            blocksParameter(),
        })};
    method.baseline = true;
    method.chain = randomChain;
    return method;
}

} // namespace tamis::tokens
