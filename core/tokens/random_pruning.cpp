// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/random_pruning.h"

#include "core/tokens/protection.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/score_step.h"
#include "core/tokens/seed.h"

namespace tamis::tokens {
namespace {
Chain randomChain(const Inputs& inputs, const Parameters& given, const RunContext&)
{
    const Parameters parameters = randomPruningMethod().declaration.schema.complete(given);
    const std::vector<int> blocks = blocksOf(parameters.text("blocks"), static_cast<int>(inputs.model->blocks().size()), "blocks");
    const std::vector<Keep> keeps = keepsOf(parameters, blocks.size());
    Chain chain;
    for (std::size_t i = 0; i < blocks.size(); ++i)
        chain.steps.push_back({blocks[i], Place::BetweenBranches, pruneByScore(Score::Random, keeps[i], seedOf(parameters))});
    chain.scoreTitle = scoreTitle(Score::Random);
    protectPatches(inputs.model->spec().patch, parameters, chain);
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
            scheduleParameter(),
            protectParameter(),
            protectShareParameter(),
            seedParameter("Of the patches drawn; others in every image all the same"),
        })};
    method.baseline = true;
    method.chain = randomChain;
    return method;
}

} // namespace tamis::tokens
