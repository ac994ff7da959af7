// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/comparison.h"

#include "core/attention/attention_capture.h"
#include "core/attention/head_errors.h"
#include "core/attention/scratch_bytes.h"
#include "core/base/error.h"
#include "core/cost/model_cost.h"
#include "core/measure/evaluate.h"

#include <algorithm>
#include <cmath>

namespace tamis::attention {
namespace {
report::AttentionPoint pointOf(const ComparedSetting& setting, bool baseline)
{
    report::AttentionPoint point;
    point.method = point.title = setting.method;
    point.parameters = setting.parameters;
    point.baseline = baseline;
    if (const Method* method = findMethod(setting.method)) {
        point.title = method->declaration.title;
        point.settings = shownSettings(setting);
        point.baseline = baseline || method->baseline;
    }
    return point;
}

/// A single sample is scored: what is fitted then fails on its own.
FittingSplit splitOf(const measure::SampleSource& given, const std::vector<ComparedSetting>& settings, const ComparisonOptions& options)
{
    const bool fits = std::ranges::any_of(settings, [](const ComparedSetting& setting) {
        const Method* method = findMethod(setting.method);
        return method && method->fits;
    });
    const std::shared_ptr<const measure::SampleSource> source(std::shared_ptr<void>(), &given); // the caller's
    return splitForFitting(source, options.fitting, fits && (options.fitting || given.count() > 1), options.fittedSamples);
}

/// Tokens of the first sample: what the costs of texts are of.
std::int64_t tokensOf(const nn::Model& model, const measure::SampleSource& samples)
{
    measure::LoadedSample sample;
    measure::loadChecked(samples, 0, model, sample);
    return model.embeddedTokens(sample.view());
}

void addCost(report::AttentionPoint& point, const nn::Model& model, std::int64_t tokens)
{
    point.macs = cost::modelCost(model, {.tokens = model.spec().vision() ? 0 : tokens}).macs;
    point.liveBytes = scratchBytes(model, tokens);
}

void addHeadErrors(report::AttentionPoint& point, const std::vector<HeadError>& heads)
{
    double map = 0, output = 0;
    for (const HeadError& head : heads) {
        map += head.map;
        output += head.output;
    }
    point.mapError = map / static_cast<double>(heads.size());
    point.outputError = output / static_cast<double>(heads.size());
}
} // namespace

void measurePoint(report::AttentionPoint& point, const nn::Model& whole, const nn::Model* changed, const measure::SampleSource& samples, int latencyRuns, const RunContext& context)
{
    measure::EvaluateOptions options;
    options.mapSamples = 0;
    options.predictions = 0;
    options.ownErrors = false;
    options.latencyRuns = latencyRuns;
    const report::EvaluationReport report = measure::evaluate(whole, changed, samples, options, context);
    point.top1 = report.quality.top1.mean;
    point.perplexity = report.quality.perplexity.mean;
    const bool classes = whole.spec().task != nn::Task::ImageFeatures && whole.spec().task != nn::Task::TextFeatures;
    point.agreement = changed ? report.fidelity.agreement.mean : classes ? 1 : report::kNotMeasured;
    point.kl = changed ? report.fidelity.kl.mean : classes ? 0 : report::kNotMeasured;
    point.cosine = changed ? report.fidelity.logitCosine.mean : 1;
    point.latencyMs = report.cost.latencyMs;
    point.wholeLatencyMs = report.baselineCost.latencyMs;
}

report::AttentionPoint pointOf(std::span<const HeadChoice> choices)
{
    report::AttentionPoint point;
    const auto first = std::ranges::find_if(choices, [](const HeadChoice& each) { return !each.method.empty(); });
    const Method* const method = first == choices.end() ? nullptr : findMethod(first->method);
    if (!method)
        return point;
    const bool alone = std::ranges::all_of(choices, [&](const HeadChoice& each) { return each.method == first->method && each.parameters == first->parameters; });
    point.method = first->method;
    point.title = alone ? method->declaration.title : "Choices of heads";
    point.parameters = method->declaration.schema.complete(first->parameters);
    point.settings = alone ? settingsText(method->declaration.schema, point.parameters) : std::string();
    return point;
}

namespace {
report::AttentionPoint tunedPoint(const std::shared_ptr<const nn::Model>& model, const TunedModel& tuned, const measure::SampleSource& samples, const ComparisonOptions& options, std::int64_t tokens,
                                  const RunContext& context)
{
    context.setParts(9);
    report::AttentionPoint point = pointOf(tuned.choices);
    point.tuned = true;
    if (point.method.empty())
        point.title = "Exact";
    const bool any = std::ranges::any_of(tuned.operators, [](const nn::AttentionPtr& op) { return op != nullptr; });
    const auto changed = replaced(model, tuned.operators);
    if (any)
        addHeadErrors(point, headErrors(*model, tuned.operators, samples, options.mapSamples, context.part(2, "comparing heads")));
    addCost(point, *changed, tokens);
    measurePoint(point, *model, any ? changed.get() : nullptr, samples, options.latencyRuns, context.part(7, "evaluating"));
    return point;
}
} // namespace

report::AttentionComparison compareMethods(const std::shared_ptr<const nn::Model>& model, const measure::SampleSource& given, std::span<const ComparedSetting> settings,
                                           const ComparisonOptions& options, const RunContext& context, const std::function<void(const report::AttentionComparison&)>& finished)
{
    requireAttentionOverAllTokens(*model);
    if (given.count() == 0)
        throw Error(ErrorCode::InvalidParameter, "found no sample, expected one at least", given.description());
    std::vector<ComparedSetting> all;
    for (const TrivialOperator& each : trivialOperators(*model))
        all.push_back(each.setting);
    const std::size_t trivial = all.size();
    for (const ComparedSetting& setting : settings)
        if (std::ranges::find(all, setting) == all.end())
            all.push_back(setting);
    context.setParts(static_cast<double>(all.size()) + (options.tuned ? 2 : 1));
    const FittingSplit split = splitOf(given, all, options);
    const measure::SampleSource& samples = *split.scored;
    report::AttentionComparison comparison{.model = model->spec().architecture, .samples = samples.description(), .fitted = split.fitted ? split.fitted->description() : "", .planned = all.size() + (options.tuned ? 2 : 1)};
    const std::int64_t tokens = tokensOf(*model, samples);
    report::AttentionPoint exact;
    exact.title = "Exact";
    exact.mapError = exact.outputError = 0;
    addCost(exact, *model, tokens);
    measurePoint(exact, *model, nullptr, samples, options.latencyRuns, context.part(1, "exact attention"));
    comparison.points.push_back(std::move(exact));
    if (options.tuned)
        comparison.points.push_back(tunedPoint(model, *options.tuned, samples, options, tokens, context.part(1, "what was trained")));
    AssignmentInputs with{.seed = options.seed, .samples = {}, .context = RunContext(context.stopToken())};
    for (std::size_t i = 0; i < all.size(); ++i) {
        context.throwIfStopped();
        if (finished)
            finished(comparison);
        report::AttentionPoint point = pointOf(all[i], i < trivial);
        const RunContext part = context.part(1, point.title);
        part.setParts(10);
        try {
            const Method* method = findMethod(all[i].method);
            if (!method)
                throw Error(ErrorCode::InvalidParameter, "found '" + all[i].method + "', expected a method of the attention lab", "method");
            point.parameters = method->declaration.schema.complete(all[i].parameters);
            const auto choices = everywhere(*model, all[i].method, point.parameters, options.blocks);
            if (with.samples.empty() && needsSamples(choices))
                with.samples = collectSamples(*model, split.fitted ? *split.fitted : *splitForFitting(split.scored, nullptr, true).fitted, options.fittedSamples, options.blocks, part.part(1, "collecting queries and keys"));
            const BlockOperators operators = operatorsFor(*model, choices, with);
            addHeadErrors(point, headErrors(*model, operators, samples, options.mapSamples, part.part(2, "comparing heads")));
            const auto changed = replaced(model, operators);
            addCost(point, *changed, tokens);
            measurePoint(point, *model, changed.get(), samples, options.latencyRuns, part.part(7, "evaluating"));
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled)
                throw;
            point = pointOf(all[i], i < trivial);
            point.failure = error.what();
        }
        comparison.points.push_back(std::move(point));
    }
    if (finished)
        finished(comparison);
    return comparison;
}

double comparedQuality(const report::AttentionComparison& comparison, const report::AttentionPoint& point)
{
    if (comparison.points.empty())
        return report::kNotMeasured;
    const report::AttentionPoint& exact = comparison.points.front();
    if (std::isfinite(exact.perplexity))
        return -point.perplexity;
    if (std::isfinite(exact.top1))
        return point.top1;
    return std::isfinite(exact.agreement) ? point.agreement : point.cosine;
}

std::vector<bool> paretoFront(const report::AttentionComparison& comparison)
{
    std::vector<bool> front;
    for (const report::AttentionPoint& point : comparison.points) {
        const double quality = comparedQuality(comparison, point);
        front.push_back(point.failure.empty() && std::isfinite(quality) && std::ranges::none_of(comparison.points, [&](const report::AttentionPoint& other) {
                            const double its = comparedQuality(comparison, other);
                            return other.failure.empty() && other.macs <= point.macs && its >= quality && (other.macs < point.macs || its > quality);
                        }));
    }
    return front;
}

} // namespace tamis::attention
