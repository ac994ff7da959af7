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
constexpr std::int64_t kPooledRows = 64; ///< of the mean-pool baseline

std::vector<ComparedSetting> trivialSettings(const nn::Model& model)
{
    std::vector<ComparedSetting> all{{"attention.zero", {}}, {"attention.mean-value", {}}};
    if (std::ranges::none_of(model.blocks(), [](const nn::Block& block) { return block.spec.attention.causal; })) {
        all.push_back({"attention.linformer", {}});
        all.back().parameters.set("rows", kPooledRows);
    }
    return all;
}

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

report::AttentionComparison compareMethods(const std::shared_ptr<const nn::Model>& model, const measure::SampleSource& given, std::span<const ComparedSetting> settings,
                                           const ComparisonOptions& options, const RunContext& context, const std::function<void(const report::AttentionComparison&)>& finished)
{
    requireAttentionOverAllTokens(*model);
    if (given.count() == 0)
        throw Error(ErrorCode::InvalidParameter, "found no sample, expected one at least", given.description());
    const std::vector<ComparedSetting> trivial = trivialSettings(*model);
    std::vector<ComparedSetting> all = trivial;
    for (const ComparedSetting& setting : settings)
        if (std::ranges::find(all, setting) == all.end())
            all.push_back(setting);
    context.setParts(static_cast<double>(all.size()) + 1);
    const FittingSplit split = splitOf(given, all, options);
    const measure::SampleSource& samples = *split.scored;
    report::AttentionComparison comparison{.model = model->spec().architecture, .samples = samples.description(), .fitted = split.fitted ? split.fitted->description() : "", .planned = all.size() + 1};
    const std::int64_t tokens = tokensOf(*model, samples);
    report::AttentionPoint exact;
    exact.title = "Exact";
    exact.mapError = exact.outputError = 0;
    addCost(exact, *model, tokens);
    measurePoint(exact, *model, nullptr, samples, options.latencyRuns, context.part(1, "exact attention"));
    comparison.points.push_back(std::move(exact));
    AssignmentInputs with{.seed = options.seed, .samples = {}, .context = RunContext(context.stopToken())};
    for (std::size_t i = 0; i < all.size(); ++i) {
        context.throwIfStopped();
        if (finished)
            finished(comparison);
        report::AttentionPoint point = pointOf(all[i], i < trivial.size());
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
            point = pointOf(all[i], i < trivial.size());
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
