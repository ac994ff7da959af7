// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/resolution_routing.h"

#include "core/base/error.h"
#include "core/base/number_text.h"
#include "core/tokens/exit_rule.h"
#include "core/tokens/photo_complexities.h"
#include "core/tokens/route.h"
#include "core/tokens/scaled_model.h"
#include "core/tokens/schedule.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

namespace tamis::tokens {
namespace {
using Clock = std::chrono::steady_clock;
constexpr const char* kConfidence = "confidence";

class ResolutionRoute final : public Route {
public:
    /// `measure` empty: by confidence. `thresholds`: one fewer than the models, from the smallest size on.
    ResolutionRoute(std::shared_ptr<const nn::Model> model, std::vector<ScaledModel> models, std::optional<Complexity> measure, std::vector<double> thresholds)
        : m_model(std::move(model)), m_models(std::move(models)), m_measure(measure), m_thresholds(std::move(thresholds))
    {
    }
    void run(const nn::Sample& sample, std::span<const Wish>, kernels::Rows output, nn::Scratch& scratch, Trace* trace) const override
    {
        std::vector<std::size_t> passes; ///< indices into the models
        std::string remark;
        double ms = 0;
        std::vector<float>* features = trace ? &trace->features : nullptr;
        const std::size_t last = m_models.size() - 1;
        if (m_measure) {
            const auto start = Clock::now();
            const double complexity = complexityOf(*m_measure, sample.image, m_model->spec().patch, scratch.context());
            passes.push_back(last - sizeFor(complexity, m_thresholds));
            ms += std::chrono::duration<double, std::milli>(Clock::now() - start).count();
            ms += m_models[passes[0]].run(sample.image, output, scratch, features);
            remark = "complexity " + fixedText(complexity, 2) + ": " + m_models[passes[0]].sizeText();
        } else {
            for (std::size_t size = 0; size <= last; ++size) {
                passes.push_back(last - size);
                ms += m_models[passes.back()].run(sample.image, output, scratch, features);
                const double confidence = confidenceOf(ExitRule::MaxProbability, output.row(0));
                remark += (size == 0 ? "" : ", then ") + m_models[passes.back()].sizeText() + ": " + fixedText(confidence, 2) + " sure";
                if (size < last && confidence >= m_thresholds[size])
                    break;
            }
        }
        if (!trace)
            return;
        tracePasses(m_model->spec(), m_models, passes, *trace);
        trace->reductionMs = ms;
        trace->remark = std::move(remark);
    }

private:
    std::shared_ptr<const nn::Model> m_model;
    std::vector<ScaledModel> m_models; ///< finest first
    std::optional<Complexity> m_measure;
    std::vector<double> m_thresholds;
};

/// Between `count` + 1 sizes: 2 i / (count + 1) times the one given; as it is for confidences.
std::vector<double> spread(double threshold, std::size_t count, bool confidence)
{
    std::vector<double> thresholds;
    for (std::size_t i = 1; i <= count; ++i)
        thresholds.push_back(confidence ? threshold : threshold * 2 * static_cast<double>(i) / static_cast<double>(count + 1));
    return thresholds;
}

void requireCount(const std::vector<double>& values, std::size_t count, const std::string& subject)
{
    if (values.size() != count)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(values.size()) + " numbers, expected " + std::to_string(count) + ", one fewer than sizes", subject);
}

/// Quantiles of the complexities of those calibration photos that can be read.
std::vector<double> fromPhotos(const Inputs& inputs, Complexity measure, const std::vector<double>& shares, const RunContext& context)
{
    if (!inputs.calibration || inputs.calibration->count() == 0)
        throw Error(ErrorCode::InvalidParameter, "found no photos to take quantiles of, expected a folder of them, or thresholds instead", "quantiles");
    const auto complexities = photoComplexities(inputs.calibration, measure, inputs.model->spec().patch, inputs.calibration->count(), context);
    std::vector<double> thresholds;
    for (const double share : shares)
        thresholds.push_back(quantileOf(*complexities, share));
    return thresholds;
}

std::vector<double> thresholdsFrom(const Inputs& inputs, const Parameters& parameters, std::optional<Complexity> measure, std::size_t count, const RunContext& context)
{
    const std::vector<double> quantiles = parseNumbers(parameters.text("quantiles"), 0, 1, "quantiles"), given = parseNumbers(parameters.text("thresholds"), 0, 10, "thresholds");
    if (!quantiles.empty() && !given.empty())
        throw Error(ErrorCode::InvalidParameter, "found thresholds beside quantiles, expected one or the other", "quantiles");
    if (!quantiles.empty() && !measure)
        throw Error(ErrorCode::InvalidParameter, "found quantiles for sizes by confidence, expected thresholds", "quantiles");
    std::vector<double> thresholds = given;
    if (!quantiles.empty()) {
        requireCount(quantiles, count, "quantiles");
        thresholds = fromPhotos(inputs, *measure, quantiles, context);
    } else if (given.empty()) {
        return spread(parameters.real("threshold"), count, !measure);
    }
    requireCount(thresholds, count, "thresholds");
    if (measure && !std::ranges::is_sorted(thresholds))
        throw Error(ErrorCode::InvalidParameter, "found numbers that fall, expected a higher one for each larger size", quantiles.empty() ? "thresholds" : "quantiles");
    return thresholds;
}

std::vector<std::string> routesBy()
{
    std::vector<std::string> names{kConfidence};
    for (const std::string_view name : complexityNames())
        names.emplace_back(name);
    return names;
}

Chain resolutionRoutingChain(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = resolutionRoutingMethod().declaration.schema.complete(given);
    requireReducible(*inputs.model, {});
    const std::string& by = parameters.text("by");
    const std::optional<Complexity> measure = by == kConfidence ? std::nullopt : std::optional(complexityNamed(by));
    if (!measure && inputs.model->spec().classes <= 0)
        throw Error(ErrorCode::UnsupportedFeature, "found a model without classes, expected one whose probabilities say how sure it is, or another measure", "by");
    std::vector<ScaledModel> models = scaledModels(inputs.model, parameters.text("resolutions"), "resolutions");
    if (models.size() < 2)
        throw Error(ErrorCode::InvalidParameter, "found one size, expected two at least to choose from", "resolutions");
    std::vector<double> thresholds = thresholdsFrom(inputs, parameters, measure, models.size() - 1, context);
    Chain chain;
    chain.route = std::make_shared<ResolutionRoute>(inputs.model, std::move(models), measure, std::move(thresholds));
    return chain;
}

/// By confidence; by entropy, within its usual range, where a model has no classes to be sure of.
std::vector<Parameters> routingSpread(const nn::ModelSpec& spec)
{
    if (spec.classes > 0)
        return settingsOver("threshold", {0.9, 0.8, 0.7, 0.5, 0.3});
    std::vector<Parameters> all = settingsOver("threshold", {0.77, 0.81, 0.84, 0.87, 0.91});
    for (Parameters& each : all)
        each.set("by", std::string("entropy"));
    return all;
}
} // namespace

double quantileOf(std::vector<double> values, double share)
{
    if (values.empty())
        throw Error(ErrorCode::InvalidParameter, "found no value to take a quantile of, expected one at least");
    std::ranges::sort(values);
    const double at = std::clamp(share, 0.0, 1.0) * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(at), above = std::min(below + 1, values.size() - 1);
    return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
}

std::size_t sizeFor(double complexity, const std::vector<double>& thresholds)
{
    return static_cast<std::size_t>(std::ranges::lower_bound(thresholds, complexity) - thresholds.begin());
}

Method resolutionRoutingMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.resolution-routing",
        .lab = "tokens",
        .title = "Image size by complexity",
        .reference = "Simple images run small: by their entropy or edges, or by the confidence of the smaller pass (Yang et al. 2020, RANet)",
        .schema = ParameterSchema({
            {.name = "threshold", .title = "Threshold", .type = ParameterType::Real, .defaultValue = 0.5, .minimum = 0, .maximum = 1, .step = 0.05,
             .help = "Between two sizes: images above it in complexity, below it in confidence, get the larger; more sizes spread around it"},
            {.name = "by", .title = "By", .type = ParameterType::Choice, .defaultValue = std::string(kConfidence),
             .help = "confidence: the smallest size first, larger ones until the class is probable enough; else a measure of the image alone", .choices = routesBy()},
            {.name = "resolutions", .title = "Sizes", .type = ParameterType::Text, .defaultValue = std::string("0.5,1"),
             .help = "Sides of the image as parts of the model's, each rounded to whole patches"},
            {.name = "thresholds", .title = "Thresholds", .type = ParameterType::Text, .defaultValue = std::string(),
             .help = "One fewer than sizes, from the smallest size on, instead of Threshold"},
            {.name = "quantiles", .title = "Quantiles", .type = ParameterType::Text, .defaultValue = std::string(),
             .help = "One fewer than sizes, as 0.5: the thresholds that this part of the calibration photos lies below"},
        })};
    method.calibrates = [](const Parameters& parameters) { return !parameters.text("quantiles").empty(); };
    method.spread = routingSpread;
    method.chain = resolutionRoutingChain;
    method.slowToMake = [](const Parameters& parameters) { return !parameters.text("quantiles").empty(); };
    return method;
}

} // namespace tamis::tokens
