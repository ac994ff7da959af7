// SPDX-License-Identifier: GPL-3.0-or-later
// One method of the encoder lab on one autoencoder: what its encoder finds, what that does to the reconstruction, what it costs.
#include "app/cli/encoder_inputs.h"
#include "app/cli/json_output.h"
#include "app/cli/run_inputs.h"
#include "app/cli/table.h"
#include "core/encoder/encoder_quality.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

ordered_json orNull(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

ordered_json costJson(const report::EncoderCostEstimate& cost, double latencyMs)
{
    return {{"parameters", cost.parameters}, {"bytes", cost.bytes}, {"macs", cost.macs}, {"bytesRead", cost.bytesRead}, {"latencyMs", orNull(latencyMs)}};
}

ordered_json certificateJson(const report::EncoderReport& report)
{
    double candidates = 0, margin = INFINITY;
    std::int64_t most = 0, dense = 0;
    for (const auto& token : report.outcomes) {
        candidates += token.candidates;
        most = std::max<std::int64_t>(most, token.candidates);
        dense += token.dense;
        margin = std::min(margin, token.margin);
    }
    return {{"candidatesMean", candidates / static_cast<double>(report.outcomes.size())}, {"candidatesMax", most}, {"fallbacks", dense}, {"marginMin", orNull(margin)}};
}

/// Latency of one token, where it was measured.
const report::EncoderLatency* single(const report::EncoderReport& report)
{
    const auto found = std::ranges::find(report.latency, std::int64_t{1}, &report::EncoderLatency::batch);
    return found == report.latency.end() ? nullptr : &*found;
}

std::string described(const encoder::SplicedLoss& loss)
{
    Table table({"with the autoencoder in place", "cross entropy", "perplexity", "top-1"}, 1);
    const auto add = [&](const char* name, const encoder::SiteLoss& each) {
        table.add({name, fixed(each.crossEntropy, 4), fixed(std::exp(each.crossEntropy), 3), percent(each.top1, 2)});
    };
    add("encoder", loss.encoded);
    add("exact", loss.exact);
    add("model alone", loss.dense);
    return "\n" + table.text() + grouped(static_cast<std::uint64_t>(loss.predictions)) + " predictions" + (loss.labelled ? " of labels" : "") + "\n";
}
} // namespace

ordered_json toJson(const report::EncoderReport& report)
{
    const auto* latency = single(report);
    const auto& q = report.quality;
    ordered_json json;
    json["cost"] = costJson(report.cost, latency ? latency->p50 : NAN);
    json["baseline"] = {{"method", "encoder.exact"},
                        {"cost", costJson(report.exactCost, latency ? latency->exactP50 : NAN)},
                        {"quality", {{"recallMean", 1.0}, {"fvu", orNull(q.fvuExact)}, {"meanActive", q.meanActiveExact}}}};
    json["quality"] = {{"recallMean", orNull(q.recallMean)}, {"recallP5", orNull(q.recallP5)},     {"recallP1", orNull(q.recallP1)},
                       {"recallMin", orNull(q.recallMin)},   {"valueError", orNull(q.valueError)}, {"fvu", orNull(q.fvu)},
                       {"fvuExact", orNull(q.fvuExact)},     {"meanActive", q.meanActive},         {"meanActiveExact", q.meanActiveExact},
                       {"loss", orNull(q.loss)},             {"lossExact", orNull(q.lossExact)},   {"lossDense", orNull(q.lossDense)}};
    json["tokens"] = report.tokens;
    json["latency"] = ordered_json::array();
    for (const auto& each : report.latency)
        json["latency"].push_back({{"batch", each.batch}, {"p50", orNull(each.p50)}, {"p99", orNull(each.p99)}, {"exactP50", orNull(each.exactP50)}});
    json["missed"] = ordered_json::array();
    for (const auto& each : report.missed)
        json["missed"].push_back({{"latent", each.latent}, {"count", each.count}, {"active", each.active}});
    if (report.certified)
        json["certificate"] = certificateJson(report);
    json["buildSeconds"] = report.buildSeconds;
    return json;
}

std::string described(const report::EncoderReport& report)
{
    const auto& q = report.quality;
    std::string text = report.method + " on " + std::to_string(report.latents) + " latents of width " + std::to_string(report.width) + ", k = " + std::to_string(report.k) + ", " +
                       grouped(static_cast<std::uint64_t>(report.tokens)) + " tokens\n";
    Table quality({"", "recall mean", "p5", "p1", "min", "value error", "FVU", "L0"}, 1);
    quality.add({"encoder", fixed(q.recallMean, 4), fixed(q.recallP5, 4), fixed(q.recallP1, 4), fixed(q.recallMin, 4), significant(q.valueError), fixed(q.fvu, 5), fixed(q.meanActive, 2)});
    quality.add({"exact", "1.0000", "1.0000", "1.0000", "1.0000", "0", fixed(q.fvuExact, 5), fixed(q.meanActiveExact, 2)});
    Table cost({"", "MACs a token", "bytes read", "memory"}, 1);
    const auto addCost = [&](const char* name, const report::EncoderCostEstimate& each) {
        cost.add({name, grouped(static_cast<std::uint64_t>(each.macs)), byteSize(static_cast<std::uint64_t>(each.bytesRead)), byteSize(each.bytes)});
    };
    addCost("encoder", report.cost);
    addCost("exact", report.exactCost);
    text += quality.text() + "\n" + cost.text();
    if (!report.latency.empty()) {
        Table latency({"batch", "p50 ms", "p99 ms", "exact p50 ms", "speed-up"}, 0);
        for (const auto& each : report.latency)
            latency.add({std::to_string(each.batch), significant(each.p50), significant(each.p99), significant(each.exactP50), fixed(each.exactP50 / each.p50, 2)});
        text += "\n" + latency.text();
    }
    if (!report.missed.empty()) {
        text += "\nmost missed:";
        for (std::size_t i = 0; i < std::min<std::size_t>(report.missed.size(), 8); ++i)
            text += (i ? ", " : " ") + std::to_string(report.missed[i].latent) + " (" + std::to_string(report.missed[i].count) + " of " + std::to_string(report.missed[i].active) + ")";
        text += "\n";
    }
    for (const auto& warning : report.warnings)
        text += "warning: " + warning + "\n";
    return text;
}

void runEncoder(Console& console, const RunOptions& options)
{
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    const auto& context = console.context();
    context.setParts(options.heldOut.empty() ? 10 : 12);
    const auto& method = encoderMethodNamed(options.method);
    const auto parameters = parametersFrom(method.declaration, options.settings, console.common());
    const auto inputs = openEncoderInputs(options, console.common(), context.part(1, "opening"));
    const auto exact = encoder::exactTokens(inputs.fit.dictionary, inputs.measured, context.part(2, "exact codes"));
    const auto building = Clock::now();
    const auto built = method.build(inputs.fit, parameters, context.part(3, "building"));
    const double buildSeconds = std::chrono::duration<double>(Clock::now() - building).count();
    encoder::MeasureOptions settings;
    if (options.latency)
        settings.latencyBatches = {1, 8, 64};
    auto report = encoder::measureEncoder(*exact, *built.encoder, options.method, parameters, settings, context.part(4, "measuring"));
    report.buildSeconds = buildSeconds;
    const auto spliced = splicedLoss(options, inputs, *exact->encoder, *built.encoder, context.part(2, "running the model"));
    if (spliced) {
        report.quality.lossDense = spliced->dense.crossEntropy;
        report.quality.lossExact = spliced->exact.crossEntropy;
        report.quality.loss = spliced->encoded.crossEntropy;
    }
    report.warnings = built.warnings;
    report.training = built.training;
    ordered_json document{{"schema", "tamis.run/1"}, {"method", report.method}, {"parameters", toJson(report.parameters)}, {"inputs", inputsJson(options, inputs)}};
    document.update(toJson(report));
    if (spliced) {
        document["quality"].update({{"top1", spliced->encoded.top1}, {"top1Exact", spliced->exact.top1}, {"top1Dense", spliced->dense.top1}});
        document["predictions"] = spliced->predictions;
    }
    document["warnings"] = ordered_json::array();
    for (const auto& warning : report.warnings)
        addWarning(document, warning);
    document["seconds"] = std::chrono::duration<double>(Clock::now() - start).count();
    console.print(described(report) + (spliced ? described(*spliced) : ""));
    console.finish(std::move(document));
}

} // namespace tamis::cli
