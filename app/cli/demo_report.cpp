// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/demo_report.h"

#include "app/cli/json_output.h"
#include "app/cli/table.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

ordered_json orNull(double value) { return std::isnan(value) ? ordered_json(nullptr) : ordered_json(value); }

ordered_json toJson(const RelativeLoss& loss)
{
    return {{"relativeLoss", orNull(loss.calibrated)}, {"heldOutRelativeLoss", orNull(loss.heldOut)}};
}

ordered_json toJson(const SweepLoss& loss)
{
    auto json = toJson(loss.mean);
    json["totalLoss"] = orNull(loss.total.calibrated);
    json["heldOutTotalLoss"] = orNull(loss.total.heldOut);
    return json;
}

std::string row(const std::vector<std::string>& cells)
{
    std::string text = "|";
    for (const auto& cell : cells)
        text += " " + cell + " |";
    return text + "\n";
}

std::string heading(const std::vector<std::string>& cells)
{
    return row(cells) + row(std::vector<std::string>(cells.size(), "---"));
}

std::string number(double value) { return significant(value, 17); }

std::string sweepTable(const DemoResults& results, RelativeLoss SweepLoss::* measure)
{
    std::string text = heading({"keep", "uniform", "energy", "greedy", "plain SVD, uniform", "greedy, held out", "plain SVD, held out"});
    for (const auto& point : results.sweep)
        text += row({fixed(point.keep, 1), percent((point.uniform.*measure).calibrated, 3), percent((point.energy.*measure).calibrated, 3),
                     percent((point.greedy.*measure).calibrated, 3), percent((point.plainUniform.*measure).calibrated, 3),
                     percent((point.greedy.*measure).heldOut, 3), percent((point.plainUniform.*measure).heldOut, 3)});
    return text;
}

std::string matrixTable(const DemoResults& results)
{
    std::string text =
        heading({"matrix", "shape", "stable rank", "effective rank", "uniform", "energy", "greedy", "loss (greedy)", "held out"});
    for (std::size_t i = 0; i < results.whitened.matrices.size(); ++i) {
        const auto& matrix = results.whitened.matrices[i];
        if (!matrix.compressible || matrix.loss.empty())
            continue;
        const auto rank = [&](const report::BudgetReport& budget) {
            return budget.matrices[i].dense ? "dense" : std::to_string(budget.matrices[i].rank);
        };
        text += row({matrix.name, std::to_string(matrix.rows) + "x" + std::to_string(matrix.cols), significant(matrix.stableRank),
                     significant(matrix.effectiveRank), rank(results.uniform), rank(results.energy), rank(results.greedy),
                     percent(results.greedy.matrices[i].relativeLoss, 3), percent(results.greedy.matrices[i].heldOutRelativeLoss, 3)});
    }
    return text;
}

std::string costTable(const DemoResults& results)
{
    const auto& before = results.greedy.before;
    const auto& after = results.greedy.after;
    const auto& written = results.exported.cost;
    return heading({"", "before", "planned", "as exported"}) +
           row({"parameters", grouped(before.parameters), grouped(after.parameters), grouped(written.parameters)}) +
           row({"bytes", byteSize(before.bytes), byteSize(after.bytes), byteSize(written.bytes)}) +
           row({"MACs a token", grouped(before.macs), grouped(after.macs), grouped(written.macs)}) +
           row({"milliseconds for " + std::to_string(results.greedy.latencyTokens) + " tokens", significant(before.latencyMs),
                significant(after.latencyMs), "-"});
}

std::string verificationTable(const DemoResults& results)
{
    std::string text = heading({"tensor", "predicted loss", "measured loss", "relative difference"});
    for (const auto& matrix : results.exported.verified)
        text += row({matrix.tensor, significant(matrix.predictedLoss, 8), significant(matrix.measuredLoss, 8),
                     significant(matrix.relativeDifference, 2)});
    return text;
}
} // namespace

std::string chartCsv(const DemoChart& chart)
{
    std::string text = "# " + chart.title + "\n# " + chart.caption + "\nseries," + chart.xTitle + "," + chart.yTitle + "\n";
    if (const auto comma = chart.xTitle.find(','); comma != std::string::npos)
        text = "# " + chart.title + "\n# " + chart.caption + "\nseries,\"" + chart.xTitle + "\"," + chart.yTitle + "\n";
    for (const auto& series : chart.series)
        for (const auto& point : series.points)
            text += "\"" + series.name + "\"," + number(point.x) + "," + (std::isfinite(point.y) ? number(point.y) : "") + "\n";
    return text;
}

ordered_json demoJson(const DemoResults& results)
{
    ordered_json document{{"schema", "tamis.demo/1"}, {"method", results.whitened.method},
                          {"parameters", cli::toJson(results.whitened.parameters)}, {"keep", kDemoKeep},
                          {"sweep", ordered_json::array()}};
    for (const auto& point : results.sweep)
        document["sweep"].push_back({{"keep", point.keep}, {"uniform", toJson(point.uniform)}, {"energy", toJson(point.energy)},
                                     {"greedy", toJson(point.greedy)}, {"plainUniform", toJson(point.plainUniform)}});
    document["cost"] = cli::toJson(results.exported.cost);
    document["baseline"] = {{"cost", cli::toJson(results.greedy.before)}, {"plainSvd", toJson(results.plainAtKeep)}};
    document["matrices"] = ordered_json::array();
    for (std::size_t i = 0; i < results.whitened.matrices.size(); ++i) {
        const auto& matrix = results.whitened.matrices[i];
        document["matrices"].push_back({{"name", matrix.name}, {"uniform", results.uniform.matrices[i].rank},
                                        {"energy", results.energy.matrices[i].rank}, {"greedy", results.greedy.matrices[i].rank}});
    }
    document["verified"] = ordered_json::array();
    for (const auto& matrix : results.exported.verified)
        document["verified"].push_back({{"tensor", matrix.tensor}, {"predictedLoss", matrix.predictedLoss},
                                        {"measuredLoss", matrix.measuredLoss}});
    document["warnings"] = ordered_json::array();
    for (const auto* report : {&results.plain, &results.whitened})
        for (const auto& warning : report->warnings)
            addWarning(document, report->method + ": " + warning);
    return document;
}

std::string demoMarkdown(const DemoResults& results, const std::string& modelSection, const std::vector<DemoChart>& charts, bool pictures)
{
    std::string text = "# Tamis demonstration\n\nModel vit20 (six layers, width 128), decomposed with " + results.whitened.method +
                       ". Losses are squared errors of the outputs on the calibration tokens, relative to the energy of the outputs, "
                       "and averaged over the matrices; \"held out\" is the same on rows the decomposition never saw.\n\n"
                       "## What each allocation loses\n\nMean of the matrices' relative losses:\n\n" +
                       sweepTable(results, &SweepLoss::mean) +
                       "\nLoss of all matrices together over their energy together, which greedy minimises:\n\n" +
                       sweepTable(results, &SweepLoss::total) + "\n## The plan at keep " + fixed(kDemoKeep, 1) + ", greedy\n\n" + costTable(results) +
                       "\n## Ranks\n\n" + matrixTable(results) +
                       "\n## The export, re-opened and measured\n\nPredicted: from the decomposition. Measured: from the files.\n\n" +
                       verificationTable(results) + modelSection + "\n## " + (pictures ? "Pictures" : "Tables") + "\n\n";
    if (!pictures)
        text += "This build draws no pictures (it was made without the window); the numbers of every chart are here.\n\n";
    for (const auto& chart : charts)
        text += pictures ? "### " + chart.title + "\n\n![" + chart.title + "](pictures/" + chart.file + ".png)\n\n[SVG](pictures/" +
                               chart.file + ".svg), [numbers](csv/" + chart.file + ".csv)\n\n"
                         : "* [" + chart.title + "](csv/" + chart.file + ".csv)\n";
    return text;
}

} // namespace tamis::cli
