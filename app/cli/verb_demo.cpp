// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/bundled/bundled.h"
#include "app/cli/console.h"
#include "app/cli/demo_lowrank.h"
#include "app/cli/demo_model.h"
#include "app/cli/demo_pictures.h"
#include "app/cli/demo_report.h"
#include "app/cli/json_output.h"
#include "app/cli/lowrank_inputs.h"
#include "app/cli/run_inputs.h"
#include "app/cli/table.h"
#include "app/cli/verbs.h"
#include "core/base/atomic_file.h"
#include "core/base/error.h"

#include <nlohmann/json.hpp>

namespace tamis::cli {
namespace {
namespace fs = std::filesystem;

/// Makes a directory. Throws Error{IoFailure}.
void makeDirectory(const fs::path& directory)
{
    std::error_code failure;
    fs::create_directories(directory, failure);
    if (failure)
        throw Error(ErrorCode::IoFailure, "cannot be created: " + failure.message(), directory.string());
}

/// An export of an earlier demonstration makes way; anything else that stands there is left to exportPlan to refuse.
void removeEarlierExport(const fs::path& directory)
{
    std::error_code failure;
    if (fs::exists(directory / "recipe.json", failure))
        fs::remove_all(directory, failure);
    if (failure)
        throw Error(ErrorCode::IoFailure, "cannot be replaced: " + failure.message(), directory.string());
}

void run(Console& console, const fs::path& out)
{
    const auto& context = console.context();
    context.setParts(16);
    const auto opening = context.part(1, "opening"); // readers finish the part they are given
    spectrum::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(app::bundledModel(), opening);
    inputs.calibration = io::CalibrationSet::open(app::bundledCalibration(), opening);
    console.beginWriting();
    const auto pictures = out / "pictures", tables = out / "csv", exported = out / "export";
    makeDirectory(pictures);
    makeDirectory(tables);
    removeEarlierExport(exported);
    const auto results = computeDemo(inputs, console.common().seed.value_or(0), exported, context.part(8, "computing"));
    const auto model = computeDemoModel(inputs, results.plan, context.part(2, "running models"));
    const auto lowRank = computeDemoLowRank(out, context.part(3, "the low-rank lab"));
    auto charts = demoCharts(results);
    for (auto& chart : demoModelCharts(model))
        charts.push_back(std::move(chart));
    for (auto& chart : demoLowRankCharts(lowRank))
        charts.push_back(std::move(chart));
    plan::writePlan(out / "plan.json", results.plan);
    for (const auto& chart : charts)
        writeFileAtomically(tables / (chart.file + ".csv"), chartCsv(chart));
    const auto drawn = drawPictures(charts, pictures, context.part(2, "drawing"));
    writeFileAtomically(out / "report.md", demoMarkdown(results, demoModelMarkdown(model) + demoLowRankMarkdown(lowRank), charts, canDrawPictures()));

    auto document = demoJson(results);
    document["models"] = demoModelJson(model);
    document["lowrank"] = toJson(lowRank);
    document["inputs"] = inputsJson(inputs, opening);
    auto& files = document["files"] = nlohmann::ordered_json::array();
    for (const auto& file : drawn)
        files.push_back(file.string());
    for (const auto& chart : charts)
        files.push_back((tables / (chart.file + ".csv")).string());
    for (const auto& file : results.exported.files)
        files.push_back(file.string());
    for (const char* name : {"plan.json", "tinylm-calibration.h5", "report.md", "report.json"})
        files.push_back((out / name).string());
    writeFileAtomically(out / "report.json", jsonText(document));

    const auto& budget = results.greedy;
    std::string text = "vit20 at keep " + fixed(kDemoKeep, 1) + ": " + grouped(budget.before.parameters) + " -> " +
                       grouped(results.exported.cost.parameters) + " parameters; mean relative loss " +
                       percent(budget.predictedRelativeLoss, 2) + " (plain SVD, same keep: " + percent(results.plainAtKeep.calibrated, 2) +
                       "); export verified in " + std::to_string(results.exported.verified.size()) + " matrices.\nOn the " +
                       std::to_string(model.photos.predictions.size()) + " bundled photos it agrees with the uncompressed model on " +
                       percent(model.photos.fidelity.agreement.mean, 1) + "; tinylm's perplexity on held-out text: " +
                       significant(model.text.quality.perplexity.mean) + ".\n";
    text += canDrawPictures() ? "Pictures: " + pictures.string() + " (" + std::to_string(drawn.size()) + " files)\n"
                              : "No pictures: this build was made without the window. Tables: " + tables.string() + "\n";
    console.print(text + "Report: " + (out / "report.md").string() + "\n");
    console.finish(std::move(document));
}
} // namespace

Verb verbDemo()
{
    const auto out = std::make_shared<std::string>();
    return {"demo", "Try everything on the bundled workspace, with pictures and a report", "  tamis-cli demo --out demonstration",
            [out](OptionSet& set) { set.text("--out", *out, "DIR", "Directory for pictures, tables, plan, export and report", true); },
            [out](Console& console) { run(console, *out); }};
}

} // namespace tamis::cli
