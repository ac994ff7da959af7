// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/evit.h"

#include "core/base/error.h"
#include "core/tokens/protection.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/scores.h"
#include "core/tokens/selection.h"

#include <algorithm>

namespace tamis::tokens {
namespace {
class EvitStep final : public Reduction {
public:
    EvitStep(Keep keep, bool fuse) : m_keep(keep), m_fuse(fuse) {}
    Assignment assign(const Look& look) const override
    {
        const std::vector<float> scores = scoreTokens(Score::ClassAttention, look);
        Assignment a = keepBest(look.set, scores, m_keep.of(look.set.tokens() - look.set.prefix));
        if (!m_fuse || a.count == look.set.tokens())
            return a;
        for (std::int32_t& to : a.to)
            if (to < 0)
                to = static_cast<std::int32_t>(a.count);
        ++a.count;
        a.weights = scores;
        a.sum.assign(static_cast<std::size_t>(a.count), 0);
        a.sum.back() = 1;
        return a;
    }

private:
    Keep m_keep;
    bool m_fuse;
};

Chain evitChain(const Inputs& inputs, const Parameters& given, const RunContext&)
{
    const Parameters parameters = evitMethod().declaration.schema.complete(given);
    const nn::ModelSpec& spec = inputs.model->spec();
    if (!spec.patch.classToken)
        throw Error(ErrorCode::UnsupportedFeature, "found a model without a class token, expected one whose attention tells which patches matter", spec.architecture);
    const std::vector<int> blocks = blocksOf(parameters.text("blocks"), static_cast<int>(spec.blocks.size()), "blocks");
    const std::vector<Keep> keeps = keepsOf(parameters, blocks.size());
    Chain chain;
    for (std::size_t i = 0; i < blocks.size(); ++i)
        chain.steps.push_back({blocks[i], Place::BetweenBranches, evitStep(keeps[i], parameters.boolean("fuse"))});
    chain.scoreTitle = scoreTitle(Score::ClassAttention);
    protectPatches(inputs.model->spec().patch, parameters, chain);
    requireReducible(*inputs.model, chain);
    return chain;
}
} // namespace

ReductionPtr evitStep(Keep keep, bool fuse)
{
    return std::make_shared<EvitStep>(keep, fuse);
}

Method evitMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.evit",
        .lab = "tokens",
        .title = "Prune by class attention (EViT)",
        .reference = "Liang et al. 2022, EViT: the patches that the class token attends to stay, the others are fused into one",
        .schema = ParameterSchema({
            keepParameter(),
            blocksParameter(),
            scheduleParameter(),
            {.name = "fuse", .title = "Fused token", .type = ParameterType::Boolean, .defaultValue = true,
             .help = "The pruned patches' sum, weighted by their attention, stays as one token"},
            protectParameter(),
            protectShareParameter(),
        })};
    method.chain = evitChain;
    return method;
}

} // namespace tamis::tokens
