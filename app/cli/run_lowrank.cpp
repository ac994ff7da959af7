// SPDX-License-Identifier: GPL-3.0-or-later
// One method of the low-rank lab on one model: what it replaced, what that costs and loses, and what the model still does.
#include "app/cli/evaluation_json.h"
#include "app/cli/json_output.h"
#include "app/cli/lowrank_inputs.h"
#include "app/cli/run_inputs.h"
#include "app/cli/table.h"
#include "app/cli/usage_error.h"
#include "core/lowrank/stored_compression.h"
#include "core/measure/evaluate.h"

#include <nlohmann/json.hpp>

#include <chrono>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

std::string matrixTable(const report::LowRankReport& report)
{
    Table table({"matrix", "form", "shape", "rank", "keep", "rel. loss", "held out", "condition"}, 2);
    for (const auto& matrix : report.matrices)
        table.add({matrix.name, matrix.layout, std::to_string(matrix.rows) + "x" + std::to_string(matrix.cols), std::to_string(matrix.rank), fixed(matrix.keep, 3),
                   significant(matrix.relativeLoss()), significant(matrix.heldOutRelativeLoss()), significant(matrix.condition)});
    return table.text() + "\n";
}

std::string described(const lowrank::Method& method, const report::LowRankReport& report)
{
    std::string text = matrixTable(report) + method.declaration.title + ", keep " + fixed(report.keep, 3) + " (achieved " + fixed(report.achievedKeep, 3) + "), " +
                       report.allocation + ", " + report.accounting + ": " + grouped(report.baselineCost.parameters) + " -> " + grouped(report.cost.parameters) +
                       " parameters, " + byteSize(report.baselineCost.bytes) + " -> " + byteSize(report.cost.bytes) + ", " + grouped(report.baselineCost.macs) + " -> " +
                       grouped(report.cost.macs) + " MACs a token\nmean relative loss " + percent(report.relativeLoss(), 2) + ", held out " +
                       percent(report.heldOutRelativeLoss(), 2) + "\n";
    if (!report.heads.empty()) {
        Table heads({"layer", "head", "map error", "separate", "output error"}, 0);
        for (const auto& head : report.heads)
            heads.add({std::to_string(head.layer), std::to_string(head.head), significant(head.mapError), significant(head.separateMapError), significant(head.outputError)});
        text += "\n" + heads.text();
    }
    for (const auto& [name, value] : report.scalars)
        text += name + ": " + significant(value) + "\n";
    for (const auto& warning : report.warnings)
        text += "warning: " + warning + "\n";
    return text;
}

std::string described(const report::EvaluationReport& quality)
{
    std::string text = "on " + quality.inputs + ":";
    const auto add = [&](const char* name, const report::Measured& value, const report::Measured* dense, bool asPercent) {
        const auto number = [&](double v) { return asPercent ? percent(v, 2) : significant(v); };
        if (value.present())
            text += std::string(" ") + name + " " + number(value.mean) + (dense ? " (dense " + number(dense->mean) + ")" : "") + ",";
    };
    add("perplexity", quality.quality.perplexity, &quality.baselineQuality.perplexity, false);
    add("top-1", quality.quality.top1, &quality.baselineQuality.top1, true);
    add("agreement", quality.fidelity.agreement, nullptr, true);
    add("KL", quality.fidelity.kl, nullptr, false);
    add("cosine", quality.fidelity.logitCosine, nullptr, false);
    return text + " " + significant(quality.cost.latencyMs) + " ms a sample (dense " + significant(quality.baselineCost.latencyMs) + ")\n";
}

/// Keys of tamis.run/1: cost, baseline, quality.
void addQuality(ordered_json& document, const report::LowRankReport& report, const report::EvaluationReport* evaluated)
{
    document["cost"] = toJson(report.cost);
    document["baseline"] = {{"cost", toJson(report.baselineCost)}, {"quality", ordered_json::object()}};
    document["quality"] = {{"keep", report.keep}, {"achievedKeep", report.achievedKeep}};
    const auto orNull = [](double value) { return value == value ? ordered_json(value) : ordered_json(nullptr); };
    document["quality"]["relativeLoss"] = orNull(report.relativeLoss());
    document["quality"]["heldOutRelativeLoss"] = orNull(report.heldOutRelativeLoss());
    document["cost"]["latencyMs"] = evaluated ? orNull(evaluated->cost.latencyMs) : ordered_json(nullptr);
    document["baseline"]["cost"]["latencyMs"] = evaluated ? orNull(evaluated->baselineCost.latencyMs) : ordered_json(nullptr);
    if (!evaluated)
        return;
    const auto evaluation = toJson(*evaluated);
    document["quality"].update(evaluation["quality"]);
    document["baseline"]["quality"] = evaluation["baseline"]["quality"];
    document["layers"] = evaluation["layers"];
}

/// tamis.run/1 without the keys of addQuality().
ordered_json documentOf(const report::LowRankReport& report, const ordered_json& inputs)
{
    ordered_json document{{"schema", "tamis.run/1"}, {"method", report.method}, {"parameters", toJson(report.parameters)}, {"inputs", inputs}, {"warnings", ordered_json::array()}};
    for (const auto& warning : report.warnings)
        addWarning(document, warning);
    for (const auto& matrix : report.matrices)
        for (const auto& warning : matrix.warnings)
            addWarning(document, matrix.name + ": " + warning);
    document.update(toJson(report));
    return document;
}

ordered_json wholeDocument(const report::LowRankReport& report, const report::EvaluationReport* evaluated, const ordered_json& inputs)
{
    ordered_json document = documentOf(report, inputs);
    addQuality(document, report, evaluated);
    return document;
}

/// Of a run that has finished no matrix yet.
report::LowRankReport startedReport(const lowrank::Method& method, const Parameters& parameters, const plan::BudgetRequest& budget)
{
    report::LowRankReport report;
    report.method = method.declaration.id;
    report.parameters = parameters;
    report.keep = budget.keep;
    report.achievedKeep = report::kNotMeasured;
    report.allocation = plan::allocationName(budget.allocation);
    report.accounting = plan::accountingName(budget.accounting);
    return report;
}

report::EvaluationReport evaluated(const lowrank::Inputs& inputs, const lowrank::Compression& compression, const measure::SampleSource& heldOut, const RunContext& context)
{
    measure::EvaluateOptions options;
    options.predictions = 0;
    options.mapSamples = 0;
    auto report = measure::evaluate(*inputs.model, lowrank::compressed(*inputs.model, compression).get(), heldOut, options, context);
    report.inputs = heldOut.description();
    return report;
}
} // namespace

void runLowRank(Console& console, const RunOptions& options)
{
    const auto start = std::chrono::steady_clock::now();
    const auto& context = console.context();
    context.setParts(20);
    const auto& method = lowRankMethodNamed(options.method);
    const auto parameters = parametersFrom(method.declaration, options.settings, console.common());
    const auto budget = budgetFrom(options, options.keep);
    const auto inputs = openLowRankInputs(options, context.part(1, "opening"));
    requireFor(method, inputs);
    const auto heldOut = openHeldOut(options, *inputs.model, context.part(1, "opening"));
    const auto inputsOf = inputsJson(inputs, heldOut.get(), context.part(0.5, "hashing")); // before: a stop leaves no time to hash
    report::LowRankReport soFar = startedReport(method, parameters, budget);
    const auto compression = method.compress(inputs, budget, parameters, context.part(12, "compressing"), [&](const lowrank::CompressedOperator& finished) {
        soFar.matrices.push_back(finished.matrix);
        console.keep(matrixTable(soFar) + "stopped after " + std::to_string(soFar.matrices.size()) + " matrices; nothing was stored\n", documentOf(soFar, inputsOf));
    });
    const auto& report = compression.report;
    std::string text = described(method, report);
    console.keep(text + "stopped before the evaluation was over; nothing was stored\n", wholeDocument(report, nullptr, inputsOf));
    std::optional<report::EvaluationReport> quality;
    if (heldOut) {
        quality = evaluated(inputs, compression, *heldOut, context.part(5, "evaluating"));
        text += described(*quality);
    }
    ordered_json document = wholeDocument(report, quality ? &*quality : nullptr, inputsOf);
    if (!options.store.empty()) {
        console.beginWriting();
        lowrank::storeCompression(inputs, budget, compression, options.store, context.part(0.5, "storing"));
        document["stored"] = {{"plan", options.store + "/plan.json"}, {"factors", options.store + "/factors.safetensors"}};
        text += "wrote " + options.store + "/plan.json and factors.safetensors\n";
    }
    document["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    console.print(text);
    console.finish(std::move(document));
}

} // namespace tamis::cli
