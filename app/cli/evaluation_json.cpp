// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/evaluation_json.h"

#include "app/cli/json_output.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

ordered_json orNull(double value) { return std::isnan(value) ? ordered_json(nullptr) : ordered_json(value); }

void add(ordered_json& means, ordered_json& spread, const char* key, const report::Measured& measured)
{
    means[key] = orNull(measured.mean);
    spread[key] = orNull(measured.deviation);
}

ordered_json qualityJson(const report::Quality& quality, ordered_json& spread)
{
    ordered_json json;
    add(json, spread, "top1", quality.top1);
    add(json, spread, "top5", quality.top5);
    add(json, spread, "perplexity", quality.perplexity);
    add(json, spread, "bitsPerByte", quality.bitsPerByte);
    json["samples"] = quality.samples;
    json["correct"] = quality.correct;
    json["tokens"] = quality.tokens;
    return json;
}

ordered_json predictionJson(const report::Prediction& prediction)
{
    ordered_json json{{"sample", prediction.sample}, {"label", prediction.label < 0 ? ordered_json(nullptr) : ordered_json(prediction.label)},
                      {"classes", prediction.classes}, {"probabilities", prediction.probabilities}};
    if (!prediction.compressedClasses.empty()) {
        json["compressedClasses"] = prediction.compressedClasses;
        json["compressedProbabilities"] = prediction.compressedProbabilities;
    }
    return json;
}
} // namespace

ordered_json toJson(const report::EvaluationReport& report)
{
    ordered_json document{{"schema", "tamis.evaluate/1"}, {"model", report.model}, {"plan", report.plan.empty() ? ordered_json(nullptr) : ordered_json(report.plan)},
                          {"inputs", report.inputs}};
    ordered_json spread, baselineSpread;
    document["quality"] = qualityJson(report.quality, spread);
    auto& quality = document["quality"];
    add(quality, spread, "agreement", report.fidelity.agreement);
    add(quality, spread, "kl", report.fidelity.kl);
    add(quality, spread, "logitCosine", report.fidelity.logitCosine);
    document["cost"] = toJson(report.cost);
    document["baseline"] = {{"cost", toJson(report.baselineCost)}, {"quality", qualityJson(report.baselineQuality, baselineSpread)}};
    document["baseline"]["spread"] = std::move(baselineSpread);
    document["spread"] = std::move(spread);
    document["batches"] = report.batches;
    document["layers"] = ordered_json::array();
    for (const auto& layer : report.layers)
        document["layers"].push_back({{"layer", layer.block}, {"error", layer.relativeError}, {"cosine", layer.cosine}, {"ownError", orNull(layer.ownError)}});
    document["heads"] = ordered_json::array();
    for (const auto& head : report.heads)
        document["heads"].push_back({{"layer", head.block}, {"head", head.head}, {"mapError", head.mapError}});
    document["mapSamples"] = report.mapSamples;
    document["classNames"] = report.classNames;
    document["predictions"] = ordered_json::array();
    for (const auto& prediction : report.predictions)
        document["predictions"].push_back(predictionJson(prediction));
    if (!report.fitted.empty())
        document["fitted"] = report.fitted;
    document["warnings"] = report.warnings;
    document["seconds"] = report.seconds;
    return document;
}

} // namespace tamis::cli
