// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/tome.h"

#include "core/tokens/merge.h"

namespace tamis::tokens {
namespace {
Chain tomeChain(const Inputs& inputs, const Parameters& given, const RunContext&)
{
    return mergingChain(*inputs.model, tomeMethod().declaration.schema.complete(given));
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
            proportionalAttentionParameter(),
            weightedPoolParameter(),
        })};
    method.chain = tomeChain;
    return method;
}

} // namespace tamis::tokens
