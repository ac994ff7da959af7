// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/vision_zip.h"

#include "core/base/error.h"
#include "core/tokens/matching.h"
#include "core/tokens/matching_metric.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/schedule.h"
#include "core/tokens/scores.h"
#include "core/tokens/selection.h"

#include <algorithm>
#include <cmath>

namespace tamis::tokens {
namespace {
class VisionZipStep final : public Reduction {
public:
    VisionZipStep(double dominant, double contextual) : m_dominant(dominant), m_contextual(contextual) {}
    Assignment assign(const Look& look) const override
    {
        requireKeys(look);
        const std::int64_t patches = look.set.tokens() - look.set.prefix;
        const std::int64_t dominant = std::max<std::int64_t>(0, countOf(m_dominant, patches, "dominant") - 1);
        Assignment a = keepBest(look.set, scoreTokens(Score::ClassAttention, look), dominant);
        std::vector<std::int32_t> rest;
        for (std::size_t i = 0; i < a.to.size(); ++i)
            if (a.to[i] < 0)
                rest.push_back(static_cast<std::int32_t>(i));
        // a patch stays in any case: models may pool by their mean
        const std::int64_t least = a.count > look.set.prefix ? 0 : 1;
        const std::int64_t contextual = std::max(least, countOf(m_contextual, patches, "contextual"));
        if (contextual > 0 && !rest.empty())
            mergeRest(a, look, rest, std::min(contextual, static_cast<std::int64_t>(rest.size())));
        return a;
    }

private:
    static void mergeRest(Assignment& a, const Look& look, const std::vector<std::int32_t>& rest, std::int64_t contextual)
    {
        const std::size_t step = rest.size() / static_cast<std::size_t>(contextual);
        Halves halves; // what goes and what it goes to
        for (std::size_t i = 0; i < rest.size(); ++i)
            (i % step == 0 && static_cast<std::int64_t>(i / step) < contextual ? halves.second : halves.first).push_back(rest[i]);
        std::vector<std::int64_t> coming(a.to.size());
        a.weights.assign(a.to.size(), 1.0f);
        for (const std::int32_t target : halves.second)
            a.to[static_cast<std::size_t>(target)] = static_cast<std::int32_t>(a.count++);
        a.sum.assign(static_cast<std::size_t>(a.count), 0);
        if (halves.first.empty())
            return;
        nn::Scratch::Frame frame(look.scratch);
        const kernels::Rows similarity = frame.take(static_cast<std::int64_t>(halves.first.size()), contextual);
        keyCosines(look, halves.first, halves.second, similarity);
        std::vector<std::int32_t> target(a.to.size());
        for (std::int64_t i = 0; i < similarity.rows; ++i) {
            const auto row = similarity.row(i);
            const auto token = static_cast<std::size_t>(halves.first[static_cast<std::size_t>(i)]);
            target[token] = halves.second[static_cast<std::size_t>(std::ranges::max_element(row) - row.begin())];
            a.to[token] = a.to[static_cast<std::size_t>(target[token])];
            a.sum[static_cast<std::size_t>(a.to[token])] = 1;
            ++coming[static_cast<std::size_t>(target[token])];
        }
        for (const std::int32_t token : halves.first)
            a.weights[static_cast<std::size_t>(token)] = 1.0f / static_cast<float>(coming[static_cast<std::size_t>(target[static_cast<std::size_t>(token)])]);
    }
    double m_dominant, m_contextual;
};

Chain visionZipChain(const Inputs& inputs, const Parameters& given, const RunContext&)
{
    const Parameters parameters = visionZipMethod().declaration.schema.complete(given);
    const nn::ModelSpec& spec = inputs.model->spec();
    if (!spec.patch.classToken)
        throw Error(ErrorCode::UnsupportedFeature, "found a model without a class token, expected one whose attention tells which patches are dominant", spec.architecture);
    const double dominant = parameters.real("dominant"), contextual = parameters.real("contextual");
    countOf(dominant, 1, "dominant");
    countOf(contextual, 1, "contextual");
    const int depth = static_cast<int>(spec.blocks.size());
    const std::string& typed = parameters.text("blocks");
    Chain chain;
    for (const int block : typed == "auto" ? std::vector<int>{std::max(0, depth - 2)} : blocksOf(typed, depth, "blocks"))
        chain.steps.push_back({block, Place::BetweenBranches, visionZipStep(dominant, contextual)});
    chain.scoreTitle = scoreTitle(Score::ClassAttention);
    requireReducible(*inputs.model, chain);
    return chain;
}
} // namespace

std::int64_t countOf(double typed, std::int64_t patches, const std::string& subject)
{
    if (typed < 1)
        return std::llround(typed * static_cast<double>(patches));
    if (typed != std::floor(typed))
        throw Error(ErrorCode::InvalidParameter, "found " + toText(typed) + " tokens, expected a share below 1 or a whole number", subject);
    return static_cast<std::int64_t>(typed);
}

ReductionPtr visionZipStep(double dominant, double contextual)
{
    return std::make_shared<VisionZipStep>(dominant, contextual);
}

Method visionZipMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.visionzip",
        .lab = "tokens",
        .title = "Dominant and contextual (VisionZip)",
        .reference = "Yang et al. 2024, VisionZip: the patches of the largest class attention stay, the others are added to evenly chosen ones by alike keys",
        .schema = ParameterSchema({
            {.name = "dominant", .title = "Dominant", .type = ParameterType::Real, .defaultValue = 0.094, .minimum = 0, .maximum = 100'000, .step = 0.01,
             .help = "Tokens that stay by class attention, the class token among them: below 1 a share of the patches, from 1 on their number"},
            {.name = "contextual", .title = "Contextual", .type = ParameterType::Real, .defaultValue = 0.0174, .minimum = 0, .maximum = 100'000, .step = 0.01,
             .help = "Tokens that the other patches are gathered in, likewise; 0: they are pruned"},
            {.name = "blocks", .title = "Blocks", .type = ParameterType::Text, .defaultValue = std::string("auto"),
             .help = "Behind whose attention, from 0, as 3,6; auto: the last but one"},
        })};
    method.spread = [](const nn::ModelSpec&) { return settingsOver("dominant", {0.8, 0.6, 0.4, 0.2, 0.1, 0.05}); }; // shares, of any model
    method.chain = visionZipChain;
    return method;
}

} // namespace tamis::tokens
