// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/console.h"
#include "app/cli/json_output.h"
#include "app/cli/run_inputs.h"
#include "app/cli/table.h"
#include "app/cli/usage_error.h"
#include "app/cli/verbs.h"
#include "core/plan/export.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

struct ExportArguments {
    std::string model, plan, out, calibration, dtype = "F32";
    bool factors = true, dense = true, lora = false;
};

ordered_json orNull(double value) { return std::isnan(value) ? ordered_json(nullptr) : ordered_json(value); }

ordered_json toJson(const plan::ExportResult& result)
{
    ordered_json document{{"schema", "tamis.export/1"}, {"files", ordered_json::array()}, {"verified", ordered_json::array()}};
    for (const auto& file : result.files)
        document["files"].push_back(file.string());
    for (const auto& matrix : result.verified)
        document["verified"].push_back({{"tensor", matrix.tensor},
                                        {"predictedLoss", matrix.predictedLoss},
                                        {"measuredLoss", matrix.measuredLoss},
                                        {"relativeDifference", matrix.relativeDifference},
                                        {"denseLoss", orNull(matrix.denseLoss)},
                                        {"loraDifference", orNull(matrix.loraDifference)},
                                        {"withinTolerance", matrix.withinTolerance}});
    document["cost"] = cli::toJson(result.cost);
    return document;
}

std::string described(const plan::ExportResult& result, const plan::Plan& plan)
{
    Table table({"tensor", "predicted loss", "measured loss", "difference"});
    for (const auto& matrix : result.verified)
        table.add({matrix.tensor, significant(matrix.predictedLoss, 6), significant(matrix.measuredLoss, 6),
                   significant(matrix.relativeDifference, 2)});
    std::string text = table.text() + "\n" + grouped(plan.baseline.parameters) + " -> " + grouped(result.cost.parameters) +
                       " parameters, " + byteSize(plan.baseline.bytes) + " -> " + byteSize(result.cost.bytes) + "\n";
    for (const auto& file : result.files)
        text += "wrote " + file.string() + "\n";
    return text;
}

void run(Console& console, const ExportArguments& arguments)
{
    plan::ExportOptions options{arguments.factors, arguments.dense, arguments.lora};
    if (!options.factors && !options.dense && !options.lora)
        throw UsageError("nothing to write: --no-factors and --no-dense leave only --lora");
    options.factorDType = *tensor::parseDType(arguments.dtype);
    const auto& context = console.context();
    context.setParts(10);
    const auto plan = plan::readPlan(arguments.plan);
    if (plan.operators.empty())
        throw UsageError("--plan: " + arguments.plan + " replaces no operator, expected one at least: tokens and attention alone are run (run --plan, evaluate --plan), not exported");
    if (plan.cache)
        console.context().warn("The plan's cache is left aside: no operator depends on it.");
    if (plan.tokens)
        console.context().warn("The plan's tokens are in plan.json alone: what is exported has its operators, and runs on all tokens elsewhere.");
    if (plan.reuse)
        console.context().warn("The plan's feature reuse is left aside: it has no weights to write, and who plays the frames decides what is computed again.");
    if (!plan.attention.empty())
        console.context().warn("The plan's attention is in plan.json alone: it has no weights to write, and what is exported runs with the model's own elsewhere (evaluate --plan measures it).");
    const auto opening = context.part(1, "opening");
    const auto checkpoint = io::Checkpoint::open(arguments.model, opening);
    auto calibration = calibrationOf(arguments.calibration, arguments.plan, plan);
    if (!plan.factorsPath.empty() && arguments.calibration.empty() && !std::filesystem::exists(calibration))
        calibration.clear(); // the factors are there; the calibration set only measures them
    const auto statistics = calibration.empty() ? nullptr : io::CalibrationSet::open(calibration, opening);
    console.beginWriting();
    const auto result = plan::exportPlan(plan, checkpoint, statistics, arguments.out, options, context.part(9, "exporting"));
    console.print(described(result, plan));
    console.finish(toJson(result));
}
} // namespace

Verb verbExport()
{
    const auto arguments = std::make_shared<ExportArguments>();
    return {"export", "Write what a plan says, and verify it",
            "  tamis-cli export datasets/vit20 --plan plan.json --out compressed\n"
            "  tamis-cli export MODEL --plan plan.json --out factors-only --no-dense\n"
            "  tamis-cli inspect compressed",
            [arguments](OptionSet& set) {
                set.positional("MODEL", arguments->model, "The checkpoint that the plan was made from");
                set.text("--plan", arguments->plan, "PLAN.json", "The plan", true);
                set.text("--out", arguments->out, "DIR", "Directory to write: new, or empty", true);
                set.text("--calibration", arguments->calibration, "FILE", "Calibration set (as the plan says)");
                set.flag("--factors,!--no-factors", arguments->factors, "Write factors.safetensors (on)");
                set.flag("--dense,!--no-dense", arguments->dense, "Write dense weights that any runtime loads (on)");
                set.flag("--lora", arguments->lora, "Write the residual as base weights and a PEFT adapter (off)");
                set.choice("--factor-dtype", arguments->dtype, {"F32", "F16", "BF16"}, "Element type of the factors (F32)");
            },
            [arguments](Console& console) { run(console, *arguments); }};
}

} // namespace tamis::cli
