// SPDX-License-Identifier: GPL-3.0-or-later
// One method of the encoder lab on one autoencoder: what its encoder finds, what that does to the reconstruction, what it costs.
#include "app/cli/encoder_inputs.h"
#include "app/cli/json_output.h"
#include "app/cli/lowrank_inputs.h"
#include "app/cli/run_inputs.h"
#include "app/cli/table.h"
#include "app/cli/training_output.h"
#include "app/cli/usage_error.h"
#include "core/base/error.h"
#include "core/encoder/codes_file.h"
#include "core/encoder/exact.h"
#include "core/encoder/streamed_quality.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

ordered_json orNull(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

ordered_json costJson(const report::EncoderCostEstimate& cost, double latencyMs)
{
    return {{"parameters", cost.parameters}, {"bytes", cost.bytes}, {"macs", cost.macs}, {"bytesRead", cost.bytesRead}, {"latencyMs", orNull(latencyMs)}};
}

ordered_json certificateJson(const report::CertificateSummary& certificate)
{
    return {{"candidatesMean", certificate.candidatesMean}, {"candidatesMax", certificate.candidatesMax}, {"fallbacks", certificate.fallbacks}, {"marginMin", orNull(certificate.marginMin)}};
}

double rowsPerSecond(const report::EncoderReport& report) { return static_cast<double>(report.tokens) / report.passSeconds; }
/// Refuses what cannot be, before minutes of training.
void requireTrainable(const encoder::Method& method, const RunOptions& options)
{
    if (!options.saveEncoder.empty() && !options.trained.empty())
        throw UsageError("found --save-encoder and --trained, expected one of them: what was restored is in its file already");
    const char* const flag = !options.saveEncoder.empty() ? "--save-encoder" : "--trained";
    if ((!options.saveEncoder.empty() || !options.trained.empty()) && !(method.trains && method.restore))
        throw UsageError(std::string(flag) + ": " + method.declaration.id + " trains nothing, expected a method that does (tamis-cli methods lists them)");
    if (!options.trained.empty() && !options.settings.empty())
        throw UsageError("--trained restores an encoder with the settings it was trained with, expected no --set beside it");
    requireWritable(options.saveEncoder, "the trained encoder");
    requireWritable(options.codes, "the codes");
}

/// The encoder trained or built, or restored from --trained; what was trained is written at once.
struct Made {
    encoder::Built built;
    Parameters parameters; ///< those that it was made with
    double seconds = 0;
};
Made madeEncoder(Console& console, const RunOptions& options, const encoder::Method& method, const EncoderInputs& inputs, const RunContext& context)
{
    const auto begin = std::chrono::steady_clock::now();
    Made made;
    if (options.trained.empty()) {
        made.parameters = parametersFrom(method.declaration, options.settings, console.common());
        made.built = method.build(inputs.fit, made.parameters, context);
    } else {
        const auto trained = encoder::readTrainedEncoder(options.trained, context);
        made.parameters = method.declaration.schema.complete(trained.parameters);
        made.built.encoder = method.restore(inputs.fit, trained, context);
        context.finish();
    }
    made.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (!options.saveEncoder.empty()) {
        console.beginWriting();
        encoder::writeTrainedEncoder(options.saveEncoder, *made.built.trained, context);
    }
    return made;
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
    json["rowsPerSecond"] = orNull(rowsPerSecond(report));
    json["latency"] = ordered_json::array();
    for (const auto& each : report.latency)
        json["latency"].push_back({{"batch", each.batch}, {"p50", orNull(each.p50)}, {"p99", orNull(each.p99)}, {"exactP50", orNull(each.exactP50)}});
    json["missed"] = ordered_json::array();
    for (const auto& each : report.missed)
        json["missed"].push_back({{"latent", each.latent}, {"count", each.count}, {"active", each.active}});
    if (report.certified)
        json["certificate"] = certificateJson(report.certificate);
    json["buildSeconds"] = report.buildSeconds;
    if (!report.training.empty())
        json["training"] = seriesJson(report.training);
    return json;
}

std::string described(const report::EncoderReport& report)
{
    const auto& q = report.quality;
    std::string text = report.method + " on " + std::to_string(report.latents) + " latents of width " + std::to_string(report.width) + ", k = " + std::to_string(report.k) + ", " +
                       grouped(static_cast<std::uint64_t>(report.tokens)) + " tokens, " + grouped(static_cast<std::uint64_t>(rowsPerSecond(report))) + " a second\n";
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

namespace {
using Clock = std::chrono::steady_clock;

/// The measurement's part of a document; what was measured besides is added to it.
ordered_json documentOf(const report::EncoderReport& report, const ordered_json& inputs)
{
    ordered_json document{{"schema", "tamis.run/1"}, {"method", report.method}, {"parameters", toJson(report.parameters)}, {"inputs", inputs}};
    document.update(toJson(report));
    document["warnings"] = ordered_json::array();
    for (const auto& warning : report.warnings)
        addWarning(document, warning);
    return document;
}

/// The scan that everything is measured against; the method's own encoder where that is what was asked for.
encoder::EncoderPtr referenceOf(const encoder::Inputs& inputs, const std::string& method, const Parameters& parameters, const encoder::Built& built, const RunContext& context)
{
    if (method == "encoder.exact" && parameters.text("precision") == "f32")
        return built.encoder;
    return encoder::exactEncoder(inputs.dictionary, kernels::ScanPrecision::Float32, context);
}

std::unique_ptr<encoder::CodesFile> codesFile(Console& console, const RunOptions& options, const EncoderInputs& inputs, const Parameters& parameters)
{
    if (options.codes.empty())
        return nullptr;
    console.beginWriting();
    return std::make_unique<encoder::CodesFile>(options.codes, inputs.fit.dictionary, inputs.measured->rows(),
                                                std::map<std::string, std::string>{{"method", options.method}, {"parameters", toJson(parameters).dump()}});
}

/// One pass over all rows, which leaves the figures of those that are done behind when it is stopped.
report::EncoderReport measured(Console& console, const RunOptions& options, const EncoderInputs& inputs, const Parameters& parameters, const encoder::TopKEncoder& exact,
                               const encoder::Built& built, double buildSeconds, const RunContext& context)
{
    encoder::StreamOptions settings;
    if (options.latency)
        settings.measure.latencyBatches = {1, 8, 64};
    const auto whole = [&](report::EncoderReport report) {
        report.buildSeconds = buildSeconds;
        report.warnings = inputs.warnings;
        report.warnings.insert(report.warnings.end(), built.warnings.begin(), built.warnings.end());
        report.training = built.training;
        return report;
    };
    const ordered_json inputsOf = inputsJson(options, inputs);
    const std::int64_t planned = inputs.measured->rows();
    settings.seen = [&](const report::EncoderReport& soFar) {
        const auto report = whole(soFar);
        auto document = documentOf(report, inputsOf);
        document["planned"] = planned;
        const std::string end = "stopped after " + grouped(static_cast<std::uint64_t>(report.tokens)) + " of " + grouped(static_cast<std::uint64_t>(planned)) + " rows";
        console.keep(cli::described(report) + end + (options.codes.empty() ? "" : "; no codes were written") + "\n", std::move(document));
    };
    const auto codes = codesFile(console, options, inputs, parameters);
    if (codes)
        settings.codes = [&](std::int64_t, const encoder::SparseCodes& some) { codes->append(some); };
    auto report = whole(encoder::measureRows(inputs.fit.dictionary, exact, *inputs.measured, *built.encoder, options.method, parameters, settings, context));
    if (codes)
        codes->commit();
    return report;
}
} // namespace

void runEncoder(Console& console, const RunOptions& options)
{
    const auto start = Clock::now();
    const auto& context = console.context();
    const auto& method = encoderMethodNamed(options.method);
    context.setParts((options.heldOut.empty() ? 8 : 10) + (method.trains ? 60 : 2));
    requireTrainable(method, options);
    parametersFrom(method.declaration, options.settings, console.common()); // a wrong one is said before anything is read
    const auto inputs = openEncoderInputs(options, console.common(), context.part(1, "opening"));
    const auto heldOut = options.heldOut.empty() ? nullptr : openHeldOut(options, *inputs.model, context.part(0.5, "opening what the model is run on"));
    const auto [built, parameters, buildSeconds] = madeEncoder(console, options, method, inputs, context.part(method.trains ? 60 : 2, "building"));
    const auto exact = referenceOf(inputs.fit, options.method, parameters, built, context.part(1, "exact encoder"));
    auto report = measured(console, options, inputs, parameters, *exact, built, buildSeconds, context.part(6, "measuring"));
    std::optional<encoder::SplicedLoss> spliced;
    if (heldOut) {
        spliced = encoder::measureSplicedLoss(*inputs.model, inputs.block, *inputs.fit.dictionary, *exact, *built.encoder, *heldOut, context.part(1.5, "running the model"));
        report.quality.lossDense = spliced->dense.crossEntropy;
        report.quality.lossExact = spliced->exact.crossEntropy;
        report.quality.loss = spliced->encoded.crossEntropy;
    }
    ordered_json document = documentOf(report, inputsJson(options, inputs));
    if (spliced) {
        document["quality"].update({{"top1", spliced->encoded.top1}, {"top1Exact", spliced->exact.top1}, {"top1Dense", spliced->dense.top1}});
        document["predictions"] = spliced->predictions;
    }
    if (!options.codes.empty())
        document["codes"] = {{"path", options.codes}, {"bytes", std::filesystem::file_size(options.codes)}};
    if (!options.saveEncoder.empty())
        document["stored"] = {{"encoder", options.saveEncoder}};
    document["seconds"] = std::chrono::duration<double>(Clock::now() - start).count();
    console.print(described(report) + trainingText(report.training, "rows") + (spliced ? described(*spliced) : "") + (options.saveEncoder.empty() ? "" : "wrote " + options.saveEncoder + "\n"));
    console.finish(std::move(document));
}

} // namespace tamis::cli
