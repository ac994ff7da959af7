// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/adaptive.h"

#include "core/base/error.h"
#include "core/base/number_text.h"
#include "core/tokens/photo_complexities.h"
#include "core/tokens/protection.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/schedule.h"
#include "core/tokens/seed.h"
#include "core/tokens/selection.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <utility>

namespace tamis::tokens {
namespace {
/// Of "auto": at most so many photos of the calibration, evenly spaced, are measured.
constexpr std::size_t kMeasuredPhotos = 256;
constexpr double kLeastKeep = 0.05;
constexpr double kSimpleQuantile = 0.1, kComplexQuantile = 0.9;

class AdaptiveStep final : public Reduction {
public:
    AdaptiveStep(Score score, Complexity measure, const AdaptiveKeep& keep, const nn::PatchSpec& patch, std::uint64_t seed)
        : m_score(score), m_measure(measure), m_keep(keep), m_patch(patch), m_seed(seed)
    {
    }
    Assignment assign(const Look& look) const override
    {
        const double complexity = complexityOf(m_measure, look.image, m_patch, look.scratch.context()), keep = m_keep.of(complexity);
        Assignment a = keepBest(look.set, scoreTokens(m_score, look, m_seed), keptOf(keep, look.set.tokens() - look.set.prefix));
        a.remark = "complexity " + fixedText(complexity, 2) + ", keep " + fixedText(keep, 2);
        return a;
    }

private:
    Score m_score;
    Complexity m_measure;
    AdaptiveKeep m_keep;
    nn::PatchSpec m_patch;
    std::uint64_t m_seed;
};

/// Complexities between which four fifths of a thousand photos of 64 pixels a side lie, normalised as ImageNet's.
std::pair<double, double> usualRange(Complexity measure)
{
    switch (measure) {
    case Complexity::EdgeStrength:
        return {0.15, 0.41};
    case Complexity::EdgeShare:
        return {0.18, 0.60};
    case Complexity::Entropy:
        break;
    }
    return {0.77, 0.91};
}

std::pair<double, double> measuredRange(const Inputs& inputs, Complexity measure, const RunContext& context)
{
    if (!inputs.calibration || inputs.calibration->count() == 0)
        throw Error(ErrorCode::InvalidParameter, "found auto without calibration photos, expected some to measure, or two complexities as 0.77,0.91", "thresholds");
    std::vector<double> found = *photoComplexities(inputs.calibration, measure, inputs.model->spec().patch, kMeasuredPhotos, context);
    std::ranges::sort(found);
    const auto at = [&](double quantile) { return found[static_cast<std::size_t>(quantile * static_cast<double>(found.size() - 1) + 0.5)]; };
    if (!(at(kSimpleQuantile) < at(kComplexQuantile)))
        throw Error(ErrorCode::InvalidParameter, "found calibration photos of one complexity, expected different ones, or two complexities as 0.77,0.91", "thresholds");
    return {at(kSimpleQuantile), at(kComplexQuantile)};
}

std::pair<double, double> rangeOf(const Inputs& inputs, const std::string& text, Complexity measure, const RunContext& context)
{
    if (text == "auto")
        return measuredRange(inputs, measure, context);
    const std::vector<double> typed = parseNumbers(text, 0, 100, "thresholds");
    if (typed.empty())
        return usualRange(measure);
    if (typed.size() != 2 || !(typed[0] < typed[1]))
        throw Error(ErrorCode::InvalidParameter, "found '" + text + "', expected two rising complexities as 0.77,0.91, or auto, or nothing", "thresholds");
    return {typed[0], typed[1]};
}

Chain adaptiveChain(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = adaptiveMethod().declaration.schema.complete(given);
    const Score score = scoreNamed(parameters.text("score"));
    const Complexity measure = complexityNamed(parameters.text("measure"));
    const nn::PatchSpec& patch = inputs.model->spec().patch;
    const double middle = parameters.real("keep"), swing = parameters.real("swing");
    AdaptiveKeep keep{.least = std::max(kLeastKeep, middle - swing), .most = std::min(1.0, middle + swing)};
    requireReducible(*inputs.model, {});
    context.setParts(2);
    std::tie(keep.simple, keep.complex) = rangeOf(inputs, parameters.text("thresholds"), measure, context.part(1, "measuring photos"));
    Chain chain;
    for (const int block : blocksOf(parameters.text("blocks"), static_cast<int>(inputs.model->blocks().size()), "blocks"))
        chain.steps.push_back({block, Place::BetweenBranches, adaptiveStep(score, measure, keep, patch, seedOf(parameters))});
    protectPatches(patch, parameters, chain);
    requireReducible(*inputs.model, chain);
    prepareScore(score, inputs, chain, context.part(1, "preparing the score"));
    return chain;
}

ParameterSpec measureParameter()
{
    ParameterSpec spec{.name = "measure", .title = "Complexity", .type = ParameterType::Choice, .defaultValue = std::string("entropy"),
                       .help = "Of the image as the model is fed it: entropy of its greys (share of 8 bits), mean strength of its edges, share of pixels on an edge"};
    for (const std::string_view name : complexityNames())
        spec.choices.emplace_back(name);
    return spec;
}
} // namespace

double AdaptiveKeep::of(double complexity) const
{
    return least + (most - least) * std::clamp((complexity - simple) / (complex - simple), 0.0, 1.0);
}

ReductionPtr adaptiveStep(Score score, Complexity measure, const AdaptiveKeep& keep, const nn::PatchSpec& patch, std::uint64_t seed)
{
    return std::make_shared<AdaptiveStep>(score, measure, keep, patch, seed);
}

Method adaptiveMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.adaptive",
        .lab = "tokens",
        .title = "Keep by complexity",
        .reference = "The keep follows the image: entropy of its greys (Shannon 1948) or edges (Sobel and Feldman 1968), mapped linearly to a keep between two",
        .schema = ParameterSchema({
            measureParameter(),
            keepParameter(),
            {.name = "swing", .title = "Swing", .type = ParameterType::Real, .defaultValue = 0.2, .minimum = 0, .maximum = 0.95, .step = 0.05,
             .help = "A simple image keeps so much less, a complex one so much more: from 0.05 to 1"},
            {.name = "thresholds", .title = "Thresholds", .type = ParameterType::Text, .defaultValue = std::string(),
             .help = "Complexities of a simple and of a complex image, as 0.77,0.91; empty: usual for the measure; auto: the outer tenths of the calibration photos"},
            scoreParameter(Score::ClassAttention),
            blocksParameter(),
            protectParameter(),
            protectShareParameter(),
            seedParameter("Of the score random alone"),
        })};
    method.calibrates = [](const Parameters& parameters) { return parameters.text("thresholds") == "auto"; };
    method.chain = adaptiveChain;
    method.slowToMake = [](const Parameters& parameters) { return parameters.text("thresholds") == "auto" || isSlowToPrepare(scoreNamed(parameters.text("score"))); };
    return method;
}

} // namespace tamis::tokens
