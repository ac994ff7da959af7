// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/encoder_comparison.h"

#include "core/base/error.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <set>
#include <string_view>
#include <utility>

namespace tamis::encoder {
namespace {
using report::EncoderPoint;

bool countsCandidates(const ParameterSpec& spec) { return spec.name == "candidates"; }
bool isSpread(const ParameterSpec& spec) { return spec.type == ParameterType::Choice || (spec.type == ParameterType::Integer && spec.logarithmic); }

std::vector<ParameterValue> doublings(const ParameterSpec& spec, const Dictionary& dictionary)
{
    const bool rank = spec.name.find("rank") != std::string::npos;
    const std::int64_t low = std::max<std::int64_t>(static_cast<std::int64_t>(spec.minimum), countsCandidates(spec) ? dictionary.k() : rank ? std::max<std::int64_t>(dictionary.width() / 16, 1) : 1);
    const std::int64_t high = std::min<std::int64_t>(static_cast<std::int64_t>(spec.maximum), countsCandidates(spec) ? dictionary.latents() : dictionary.width());
    std::vector<ParameterValue> values;
    for (std::int64_t value = low; value <= high; value *= 2)
        values.emplace_back(value);
    return values;
}

/// The parameter whose values are tried, with them.
using Axis = std::pair<std::string, std::vector<ParameterValue>>;

std::vector<Axis> axesOf(const Method& method, const Dictionary& dictionary)
{
    std::vector<Axis> axes;
    if (method.trains) // minutes each, and beams and active experts are bounded by settings beside them
        return axes;
    for (const ParameterSpec& spec : method.declaration.schema.specs()) {
        if (!isSpread(spec) || (!axes.empty() && !countsCandidates(spec)))
            continue;
        axes.emplace_back(spec.name, spec.type == ParameterType::Choice ? std::vector<ParameterValue>(spec.choices.begin(), spec.choices.end()) : doublings(spec, dictionary));
    }
    return axes;
}

/// As many of `values`, the first and the last among them, as evenly spread as can be.
std::vector<ParameterValue> thinned(const std::vector<ParameterValue>& values, std::size_t most)
{
    if (values.size() <= most)
        return values;
    std::vector<ParameterValue> fewer;
    for (std::size_t i = 0; i < most; ++i)
        fewer.push_back(values[most == 1 ? values.size() - 1 : i * (values.size() - 1) / (most - 1)]);
    return fewer;
}

std::string lineOf(const ComparedEncoder& compared)
{
    std::string line;
    for (const std::string& name : compared.told)
        line += (line.empty() ? "" : ", ") + name + " " + toText(compared.parameters.value(name));
    return line;
}

EncoderPoint exactPoint(const ExactTokens& exact, const MeasureOptions& options, const RunContext& context)
{
    const auto report = measureEncoder(exact, *exact.encoder, "encoder.exact", {}, options, context);
    EncoderPoint point;
    point.method = report.method;
    point.title = "Exact, float32";
    point.quality = report.quality;
    point.cost = report.cost;
    point.latency = report.latency;
    point.exact = true;
    return point;
}

void measurePoint(EncoderPoint& point, const ExactTokens& exact, const Inputs& inputs, const ComparedEncoder& compared, const MeasureOptions& options, const RunContext& context)
{
    try {
        context.setParts(2);
        const auto start = std::chrono::steady_clock::now();
        const Built built = compared.method->build(inputs, compared.parameters, context.part(1, "building"));
        point.buildSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        const auto report = measureEncoder(exact, *built.encoder, point.method, point.parameters, options, context.part(1, "measuring"));
        point.quality = report.quality;
        point.cost = report.cost;
        point.latency = report.latency;
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Cancelled)
            throw;
        point.failure = error.what();
    } catch (const std::bad_alloc&) {
        point.failure = "found not enough memory for this encoder";
    }
}
} // namespace

std::vector<ComparedEncoder> spreadSettings(const Method& method, const Parameters& given, const Dictionary& dictionary, std::size_t steps)
{
    const ParameterSchema& schema = method.declaration.schema;
    ComparedEncoder first{&method, schema.complete(given), method.declaration.title, {}};
    const auto axes = axesOf(method, dictionary);
    std::set<std::string> spread;
    for (const auto& [name, values] : axes)
        spread.insert(name);
    for (const ParameterSpec& spec : schema.specs())
        if (spread.contains(spec.name) || !(first.parameters.value(spec.name) == spec.defaultValue))
            first.told.push_back(spec.name);
    std::vector<ComparedEncoder> all{first};
    for (const auto& [name, values] : axes) {
        const bool choice = schema.find(name)->type == ParameterType::Choice;
        const auto tried = choice ? values : thinned(values, steps);
        std::vector<ComparedEncoder> more;
        for (const ComparedEncoder& each : all)
            for (const ParameterValue& value : tried) {
                more.push_back(each);
                more.back().parameters.set(name, value);
                if (choice && axes.size() > 1) // an encoder of its own, with a frontier of its own
                    more.back().title += ", " + toText(value);
            }
        if (!more.empty())
            all = std::move(more);
    }
    return all;
}

report::EncoderComparison compareEncoders(const ExactTokens& exact, const Inputs& inputs, const std::vector<ComparedEncoder>& encoders, const MeasureOptions& options,
                                          const RunContext& context, const PointFinished& finished)
{
    const Dictionary& dictionary = *exact.dictionary;
    report::EncoderComparison comparison;
    comparison.width = dictionary.width();
    comparison.latents = dictionary.latents();
    comparison.k = dictionary.k();
    comparison.tokenCount = exact.inputs.rows();
    comparison.planned = encoders.size() + 1;
    context.setParts(static_cast<double>(comparison.planned));
    comparison.points.push_back(exactPoint(exact, options, context.part(1, "exact")));
    if (finished)
        finished(comparison);
    for (const ComparedEncoder& compared : encoders) {
        const MethodDeclaration& declaration = compared.method->declaration;
        EncoderPoint point;
        point.method = declaration.id;
        point.title = compared.title;
        point.parameters = compared.parameters;
        point.settings = lineOf(compared);
        measurePoint(point, exact, inputs, compared, options, context.part(1, declaration.title));
        comparison.points.push_back(std::move(point));
        if (finished)
            finished(comparison);
    }
    context.finish();
    return comparison;
}

const EncoderPoint* fastestAt(const report::EncoderComparison& comparison, double recall, std::int64_t batch)
{
    const EncoderPoint* best = nullptr;
    double bestRatio = 0;
    for (const EncoderPoint& point : comparison.points) {
        const auto latency = std::ranges::find(point.latency, batch, &report::EncoderLatency::batch);
        if (!point.failure.empty() || latency == point.latency.end() || !(point.quality.recallMean >= recall))
            continue;
        const double ratio = latency->exactP50 / latency->p50;
        if (ratio > bestRatio) {
            bestRatio = ratio;
            best = &point;
        }
    }
    return best;
}

} // namespace tamis::encoder
