// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/token_comparison.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>

namespace tamis::tokens {
namespace {
std::string settingsText(const ComparedReduction& reduction)
{
    std::string text;
    for (const std::string& name : reduction.told)
        text += (text.empty() ? "" : ", ") + name + "=" + toText(reduction.parameters.value(name));
    return text;
}

/// The value of the lever at part `at` of the way, 0 < at < 1: from much kept to little.
ParameterValue leverAt(const ParameterSpec& lever, const nn::ModelSpec& spec, double at)
{
    const auto patches = static_cast<double>(spec.patch.gridHeight * spec.patch.gridWidth);
    if (lever.name == "keep")
        return std::max(lever.minimum, std::round(100 * (1 - at)) / 100);
    if (lever.name == "r")
        return std::max<std::int64_t>(1, std::llround(at * patches / static_cast<double>(spec.blocks.size())));
    return std::max<std::int64_t>(1, std::llround((1 - at) * patches)); // most
}
} // namespace

std::vector<ComparedReduction> spreadSettings(const Method& method, const Parameters& given, const nn::ModelSpec& spec, std::size_t steps)
{
    const Parameters complete = method.declaration.schema.complete(given);
    const auto& specs = method.declaration.schema.specs();
    const auto lever = std::ranges::find_if(specs, [](const ParameterSpec& each) { return each.name == "keep" || each.name == "r" || each.name == "most"; });
    std::vector<std::string> told; // what was given by hand is said, too
    for (const auto& [name, value] : given.all())
        told.push_back(name);
    if (lever == specs.end() || given.contains(lever->name) || (complete.contains("schedule") && !complete.text("schedule").empty()))
        return {{&method, complete, told}};
    told.insert(told.begin(), lever->name);
    std::vector<ComparedReduction> result;
    for (std::size_t step = 1; step <= steps; ++step) {
        Parameters parameters = complete;
        parameters.set(lever->name, leverAt(*lever, spec, static_cast<double>(step) / static_cast<double>(steps + 1)));
        result.push_back({&method, std::move(parameters), told});
    }
    return result;
}

report::TokenComparison compareReductions(const Inputs& inputs, const measure::SampleSource& source, const std::vector<ComparedReduction>& reductions, const ComparisonOptions& options,
                                          const RunContext& context, const PointFinished& finished)
{
    const nn::Model& model = *inputs.model;
    context.setParts(static_cast<double>(reductions.size()) + 1);
    report::TokenComparison comparison;
    comparison.model = model.spec().architecture;
    comparison.samples = source.description();
    comparison.photos = static_cast<std::int64_t>(source.count());
    comparison.batch = options.latencyOptions.batch;
    comparison.planned = reductions.size() + 1;
    const WholeFolder whole = wholeFolder(model, source, context.part(1, "the whole model"));
    comparison.points.push_back(wholePoint(model, whole));
    if (finished)
        finished(comparison);
    for (const ComparedReduction& reduction : reductions) {
        const RunContext part = context.part(1, reduction.method->declaration.title);
        report::TokenPoint point;
        try {
            const Chain chain = reduction.method->chain(inputs, reduction.parameters, part);
            point = runFolder(model, chain, source, whole, part).point;
            if (options.latency) {
                const Latency latency = measureLatency(model, chain, source, options.latencyOptions, part);
                point.latencyMs = latency.reducedMs;
                point.matchingMs = latency.matchingMs;
                // the whole model was measured beside each: its best stands
                double& best = comparison.points.front().latencyMs;
                best = std::isnan(best) ? latency.wholeMs : std::min(best, latency.wholeMs);
            }
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled)
                throw;
            point = {};
            point.failure = error.what();
        }
        point.method = reduction.method->declaration.id;
        point.title = reduction.method->declaration.title;
        point.settings = settingsText(reduction);
        point.parameters = reduction.parameters;
        point.baseline = reduction.method->baseline;
        comparison.points.push_back(std::move(point));
        part.finish();
        if (finished)
            finished(comparison);
    }
    return comparison;
}

} // namespace tamis::tokens
