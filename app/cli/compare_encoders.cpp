// SPDX-License-Identifier: GPL-3.0-or-later
// Encoders of one autoencoder side by side: the same rows to fit to, the same tokens to measure on, the exact encoder in the same run.
#include "app/cli/encoder_inputs.h"
#include "app/cli/json_output.h"
#include "app/cli/run_inputs.h"
#include "app/cli/table.h"
#include "app/cli/usage_error.h"
#include "core/base/error.h"
#include "core/encoder/encoder_comparison.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;
using report::EncoderPoint;

constexpr std::array<std::int64_t, 3> kBatches{1, 8, 64};
constexpr std::int64_t kMostTokens = 16'384; // that all encoders are measured on, evenly spread

ordered_json orNull(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

const report::EncoderLatency* at(const EncoderPoint& point, std::int64_t batch)
{
    const auto found = std::ranges::find(point.latency, batch, &report::EncoderLatency::batch);
    return found == point.latency.end() ? nullptr : &*found;
}

std::string milliseconds(const EncoderPoint& point, std::int64_t batch)
{
    const auto* latency = at(point, batch);
    return latency ? significant(latency->p50, 3) : "-";
}

std::string speedUp(const EncoderPoint& point, std::int64_t batch)
{
    const auto* latency = at(point, batch);
    return latency ? fixed(latency->exactP50 / latency->p50, 2) : "-";
}

/// "encoder.low-rank:rank=32:weighting=none" is that encoder; without settings, the method at settings that spread over what it trades.
void addEncoders(std::vector<encoder::ComparedEncoder>& all, const std::string& text, const encoder::Inputs& inputs, std::size_t steps, const CommonOptions& common)
{
    std::vector<std::string> settings;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(':', begin), text.size());
        settings.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    const auto& method = encoderMethodNamed(settings.front());
    settings.erase(settings.begin());
    if (method.needsCalibration && inputs.calibration.empty())
        throw UsageError("--method " + text + ": needs rows to fit to (--calibration-activations, or --calibration with --layer, or --model with --block and samples)");
    const auto parameters = parametersFrom(method.declaration, settings, common);
    if (settings.empty()) {
        for (auto& each : encoder::spreadSettings(method, parameters, *inputs.dictionary, steps))
            all.push_back(std::move(each));
        return;
    }
    encoder::ComparedEncoder one{&method, parameters, method.declaration.title, {}};
    for (const auto& setting : settings)
        one.told.push_back(splitAssignment(setting, "--method").first);
    all.push_back(std::move(one));
}

std::vector<encoder::ComparedEncoder> encodersFrom(const CompareOptions& options, const encoder::Inputs& inputs, const CommonOptions& common)
{
    std::vector<encoder::ComparedEncoder> all;
    for (const auto& text : options.methods)
        addEncoders(all, text, inputs, static_cast<std::size_t>(options.steps), common);
    if (options.methods.empty())
        for (const auto& method : encoder::methods())
            if ((options.trained || !method.trains) && !(method.needsCalibration && inputs.calibration.empty()))
                addEncoders(all, method.declaration.id, inputs, static_cast<std::size_t>(options.steps), common);
    return all;
}

std::string fastestLine(const report::EncoderComparison& comparison, double recall)
{
    std::string text;
    for (const std::int64_t batch : kBatches) {
        const auto* point = encoder::fastestAt(comparison, recall, batch);
        if (!point || !at(*point, batch))
            continue;
        text += "fastest at recall " + fixed(recall, 2) + " or more, batch " + std::to_string(batch) + ": " + point->title + (point->settings.empty() ? "" : " (" + point->settings + ")") +
                ", recall " + fixed(point->quality.recallMean, 4) + ", " + speedUp(*point, batch) + " times the exact encoder\n";
    }
    return text;
}

std::string described(const report::EncoderComparison& comparison, const std::vector<std::string>& warnings, double recall)
{
    Table table({"encoder", "settings", "recall", "p5", "p1", "min", "value error", "FVU", "MACs a token", "bytes read", "ms, 1", "x", "ms, 64", "x", "built s"}, 2);
    std::string failures;
    for (const auto& point : comparison.points) {
        if (!point.failure.empty()) {
            failures += "failed: " + point.title + (point.settings.empty() ? "" : " (" + point.settings + ")") + ": " + point.failure + "\n";
            continue;
        }
        const auto& q = point.quality;
        table.add({point.title, point.settings, fixed(q.recallMean, 4), fixed(q.recallP5, 3), fixed(q.recallP1, 3), fixed(q.recallMin, 3), significant(q.valueError, 3), fixed(q.fvu, 4), grouped(static_cast<std::uint64_t>(point.cost.macs)),
                   byteSize(static_cast<std::uint64_t>(point.cost.bytesRead)), milliseconds(point, 1), speedUp(point, 1), milliseconds(point, 64), speedUp(point, 64), fixed(point.buildSeconds, 1)});
    }
    std::string text = table.text() + failures + fastestLine(comparison, recall);
    for (const auto& warning : warnings)
        text += "warning: " + warning + "\n";
    return text;
}

ordered_json pointJson(const EncoderPoint& point)
{
    ordered_json json{{"method", point.method}, {"title", point.title}, {"settings", point.settings}, {"parameters", toJson(point.parameters)}, {"exact", point.exact}};
    const auto& q = point.quality;
    json["quality"] = {{"recallMean", orNull(q.recallMean)}, {"recallP5", orNull(q.recallP5)}, {"recallP1", orNull(q.recallP1)}, {"recallMin", orNull(q.recallMin)},
                       {"valueError", orNull(q.valueError)}, {"fvu", orNull(q.fvu)},           {"fvuExact", orNull(q.fvuExact)}};
    json["cost"] = {{"parameters", point.cost.parameters}, {"bytes", point.cost.bytes}, {"macs", point.cost.macs}, {"bytesRead", point.cost.bytesRead}};
    json["latency"] = ordered_json::array();
    for (const auto& each : point.latency)
        json["latency"].push_back({{"batch", each.batch}, {"p50", orNull(each.p50)}, {"p99", orNull(each.p99)}, {"exactP50", orNull(each.exactP50)}});
    json["buildSeconds"] = point.buildSeconds;
    json["failure"] = point.failure;
    return json;
}

ordered_json documentOf(const report::EncoderComparison& comparison, const ordered_json& inputs, const std::vector<std::string>& warnings, double recall)
{
    ordered_json document{{"schema", "tamis.compare/1"}, {"inputs", inputs}, {"tokens", comparison.tokenCount}, {"planned", comparison.planned}, {"rows", ordered_json::array()}};
    for (const auto& point : comparison.points)
        document["rows"].push_back(pointJson(point));
    document["fastest"] = ordered_json::array();
    for (const std::int64_t batch : kBatches)
        if (const auto* point = encoder::fastestAt(comparison, recall, batch))
            document["fastest"].push_back({{"recall", recall}, {"batch", batch}, {"row", point - comparison.points.data()}, {"speedUp", orNull(at(*point, batch)->exactP50 / at(*point, batch)->p50)}});
    document["warnings"] = ordered_json::array();
    for (const auto& warning : warnings)
        addWarning(document, warning);
    for (const auto& point : comparison.points)
        if (!point.failure.empty())
            addWarning(document, point.title + ": " + point.failure);
    return document;
}
} // namespace

void compareEncoders(Console& console, const CompareOptions& options)
{
    if (!options.run.heldOut.empty())
        throw UsageError("--held-out: compare --encoder measures no loss of a model, expected none; run encoder.* with --model and --held-out measures it");
    const auto start = std::chrono::steady_clock::now();
    const auto& context = console.context();
    context.setParts(20);
    const auto inputs = openEncoderInputs(options.run, console.common(), context.part(1, "opening"));
    const auto encoders = encodersFrom(options, inputs.fit, console.common());
    auto rows = encoder::evenRows(*inputs.measured, 0, inputs.measured->rows(), kMostTokens, context.part(0.5, "reading"));
    const auto exact = encoder::exactTokens(inputs.fit.dictionary, std::move(rows), context.part(0.5, "exact codes"));
    encoder::MeasureOptions settings;
    if (options.run.latency)
        settings.latencyBatches.assign(kBatches.begin(), kBatches.end());
    const auto inputsOf = inputsJson(options.run, inputs);
    const auto comparison = encoder::compareEncoders(*exact, inputs.fit, encoders, settings, context.part(18, "comparing"), [&](const report::EncoderComparison& soFar) {
        console.keep(described(soFar, inputs.warnings, options.recall) + "stopped after " + std::to_string(soFar.points.size()) + " of " + std::to_string(soFar.planned) + " rows\n",
                     documentOf(soFar, inputsOf, inputs.warnings, options.recall));
    });
    auto document = documentOf(comparison, inputsOf, inputs.warnings, options.recall);
    document["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    console.print(described(comparison, inputs.warnings, options.recall));
    console.finish(std::move(document));
}

} // namespace tamis::cli
