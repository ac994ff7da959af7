// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/json_output.h"
#include "app/cli/lowrank_inputs.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

ordered_json orNull(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

/// A latency that was not measured is null, without a warning.
ordered_json costJson(const report::Cost& cost)
{
    return {{"parameters", cost.parameters}, {"bytes", cost.bytes}, {"macs", cost.macs}, {"latencyMs", orNull(cost.latencyMs)}};
}

ordered_json matrixJson(const report::LowRankMatrix& matrix)
{
    return {{"name", matrix.name},
            {"layer", matrix.layer},
            {"role", matrix.role},
            {"shape", {matrix.rows, matrix.cols}},
            {"layout", matrix.layout},
            {"rank", matrix.rank},
            {"keep", matrix.keep},
            {"loss", orNull(matrix.loss)},
            {"relativeLoss", orNull(matrix.relativeLoss())},
            {"minimumLoss", orNull(matrix.minimumLoss)},
            {"heldOutLoss", orNull(matrix.heldOutLoss)},
            {"heldOutRelativeLoss", orNull(matrix.heldOutRelativeLoss())},
            {"condition", orNull(matrix.condition)},
            {"maxCoefficient", orNull(matrix.maxCoefficient)},
            {"cost", costJson(matrix.cost)},
            {"warnings", matrix.warnings}};
}

ordered_json figureJson(const report::MethodFigure& figure)
{
    ordered_json json{{"id", figure.id}, {"title", figure.title}, {"x", figure.xTitle}, {"y", figure.yTitle}, {"series", ordered_json::array()}};
    for (const auto& series : figure.series) {
        ordered_json x = ordered_json::array(), y = ordered_json::array();
        for (const auto& point : series.points) {
            x.push_back(orNull(point.x));
            y.push_back(orNull(point.y));
        }
        json["series"].push_back({{"name", series.name}, {"x", std::move(x)}, {"y", std::move(y)}});
    }
    return json;
}

ordered_json measuredJson(const report::Measured& measured)
{
    return {{"mean", orNull(measured.mean)}, {"deviation", orNull(measured.deviation)}};
}

ordered_json rowJson(const report::ComparisonRow& row)
{
    ordered_json json{{"label", row.label}, {"method", row.method}, {"settings", row.settings}, {"keep", row.keep}, {"baseline", row.baseline},
                      {"cost", costJson(row.cost)}};
    json["cost"]["latencyMs"] = orNull(row.latencyMs);
    json["relativeLoss"] = orNull(row.relativeLoss);
    json["heldOutRelativeLoss"] = orNull(row.heldOutRelativeLoss);
    json["quality"] = {{"perplexity", measuredJson(row.quality.perplexity)}, {"top1", measuredJson(row.quality.top1)}, {"top5", measuredJson(row.quality.top5)},
                       {"agreement", measuredJson(row.fidelity.agreement)}, {"kl", measuredJson(row.fidelity.kl)}, {"logitCosine", measuredJson(row.fidelity.logitCosine)}};
    json["layers"] = ordered_json::array();
    for (const auto& layer : row.layers)
        json["layers"].push_back({{"layer", layer.block}, {"error", orNull(layer.relativeError)}});
    json["seconds"] = row.seconds;
    json["failure"] = row.failure.empty() ? ordered_json(nullptr) : ordered_json(row.failure);
    return json;
}
} // namespace

ordered_json toJson(const report::LowRankReport& report)
{
    ordered_json json;
    json["keep"] = report.keep;
    json["achievedKeep"] = orNull(report.achievedKeep);
    json["allocation"] = report.allocation;
    json["accounting"] = report.accounting;
    for (const char* key : {"matrices", "heads", "planes", "figures", "scalars"})
        json[key] = ordered_json::array();
    for (const auto& matrix : report.matrices)
        json["matrices"].push_back(matrixJson(matrix));
    for (const auto& head : report.heads)
        json["heads"].push_back({{"layer", head.layer}, {"head", head.head}, {"mapError", orNull(head.mapError)}, {"logitError", orNull(head.logitError)},
                                 {"outputError", orNull(head.outputError)}, {"separateMapError", orNull(head.separateMapError)}});
    for (const auto& plane : report.planes)
        json["planes"].push_back({{"layer", plane.layer}, {"plane", plane.plane}, {"rank", plane.rank}, {"energy", plane.energy}});
    for (const auto& figure : report.figures)
        json["figures"].push_back(figureJson(figure));
    for (const auto& [name, value] : report.scalars)
        json["scalars"].push_back({{"name", name}, {"value", orNull(value)}});
    return json;
}

ordered_json toJson(const report::MethodComparison& comparison)
{
    ordered_json json{{"model", comparison.model}, {"calibration", comparison.calibration}, {"samples", comparison.samples},
                      {"qualityName", comparison.qualityName}, {"rows", ordered_json::array()}};
    for (const auto& row : comparison.rows)
        json["rows"].push_back(rowJson(row));
    json["seconds"] = comparison.seconds;
    return json;
}

} // namespace tamis::cli
