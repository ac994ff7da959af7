// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/tome.h"

#include "core/tokens/merge.h"
#include "core/tokens/reduced_forward.h"

namespace tamis::tokens {
namespace {
Chain tomeChain(const Inputs& inputs, const Parameters& given, const RunContext&)
{
    const Parameters parameters = tomeMethod().declaration.schema.complete(given);
    const std::vector<std::int64_t> counts = mergeCounts(parameters, static_cast<int>(inputs.model->blocks().size()));
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

Method tomeMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.tome",
        .lab = "tokens",
        .title = "Merge (ToMe)",
        .reference = "Bolya et al. 2023, Token Merging: bipartite soft matching of keys, merged by size, with proportional attention",
        .schema = ParameterSchema({
            mergedParameter(),
            inflectionParameter(),
            mergeScheduleParameter(),
            {.name = "proportional-attention", .title = "Proportional attention", .type = ParameterType::Boolean, .defaultValue = true,
             .help = "Adds the log of a token's size to the scores of its key; off for models that were not trained with labels (MAE)"},
            {.name = "weighted-pool", .title = "Pool by size", .type = ParameterType::Boolean, .defaultValue = true,
             .help = "Models that pool by the mean: every token counts as many times as the patches it stands for"},
        })};
    method.chain = tomeChain;
    return method;
}

} // namespace tamis::tokens
