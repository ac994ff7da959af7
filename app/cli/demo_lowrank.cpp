// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/demo_lowrank.h"

#include "app/bundled/bundled.h"
#include "app/cli/table.h"
#include "app/samples/sample_request.h"
#include "core/lowrank/comparison.h"
#include "core/measure/capture.h"

#include <algorithm>
#include <cmath>

namespace tamis::cli {
namespace {
constexpr std::size_t kCalibrationWindows = 64, kHeldOutWindows = 32; // of 384 and 250: some seconds

std::unique_ptr<measure::SampleSource> tokens(const char* file, std::size_t limit, const std::filesystem::path& folder, const nn::Model& model, const RunContext& context)
{
    app::SampleRequest request;
    request.tokens = folder / file;
    request.limit = limit;
    return app::openSamples(request, folder, model, context);
}

lowrank::ComparisonEntry entry(const std::string& label, double keep, plan::Allocation allocation, const std::string& preconditioner, const std::string& method = "lowrank.local")
{
    lowrank::ComparisonEntry entry;
    entry.label = label;
    entry.method = method;
    entry.budget.keep = keep;
    entry.budget.allocation = allocation;
    if (!preconditioner.empty())
        entry.parameters.set("preconditioner", preconditioner);
    return entry;
}
} // namespace

report::MethodComparison computeDemoLowRank(const std::filesystem::path& directory, const RunContext& context)
{
    context.setParts(10);
    const auto folder = app::bundledDatasets() / "tinylm";
    lowrank::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(folder, context);
    inputs.model = nn::Model::load(*inputs.checkpoint, context);
    const std::shared_ptr<const measure::SampleSource> samples = tokens("calibration.npy", kCalibrationWindows, folder, *inputs.model, context);
    measure::CaptureOptions capture;
    capture.out = directory / "tinylm-calibration.h5";
    capture.modelSha256 = inputs.checkpoint->sha256(context);
    measure::captureCalibration(*inputs.model, *samples, capture, context.part(2, "capturing tinylm"));
    inputs.calibration = io::CalibrationSet::open(capture.out, context);
    inputs.samples = samples;
    auto entries = lowrank::standardEntries(inputs, {}, false); // the roundings
    using plan::Allocation;
    for (const double keep : {0.9, 0.8, 0.7, 0.6, 0.5}) {
        entries.push_back(entry("plain SVD", keep, Allocation::Uniform, "identity"));
        entries.push_back(entry("ASVD", keep, Allocation::Uniform, "abs-mean"));
        entries.push_back(entry("whitened", keep, Allocation::Uniform, "output-pca"));
        entries.push_back(entry("whitened, greedy ranks", keep, Allocation::Greedy, "output-pca"));
    }
    const auto heldOut = tokens("heldout.npy", kHeldOutWindows, folder, *inputs.model, context);
    return lowrank::compareMethods(inputs, *heldOut, entries, {.latencyRuns = 0, .layers = false}, context.part(8, "comparing methods on tinylm"));
}

std::vector<DemoChart> demoLowRankCharts(const report::MethodComparison& comparison)
{
    DemoChart chart{"lowrank-methods", "Perplexity of tinylm against parameters kept", "calibrated on " + comparison.calibration + "; measured on " + comparison.samples,
                    "keep", "perplexity", false, true, {}};
    for (const auto& row : comparison.rows) {
        if (row.baseline || !row.quality.perplexity.present())
            continue;
        auto found = std::ranges::find(chart.series, row.label, &report::Series::name);
        if (found == chart.series.end())
            found = chart.series.insert(found, report::Series{row.label, {}});
        found->points.push_back({row.keep, row.quality.perplexity.mean});
    }
    for (auto& series : chart.series)
        std::ranges::sort(series.points, {}, &report::Point::x);
    report::Series dense{"dense", {}};
    dense.baseline = true;
    if (!comparison.rows.empty() && comparison.rows[0].quality.perplexity.present())
        for (const double keep : {0.5, 0.9})
            dense.points.push_back({keep, comparison.rows[0].quality.perplexity.mean});
    chart.series.push_back(std::move(dense));
    return {std::move(chart)};
}

std::string demoLowRankMarkdown(const report::MethodComparison& comparison)
{
    std::string text = "\n## Low-rank methods on tinylm\n\nCalibrated on " + comparison.calibration + "; perplexity on " + comparison.samples +
                       ". Bytes are those of float16 factors; losses are mean relative errors of the matrices' outputs.\n\n"
                       "| method | keep | bytes | loss | held-out loss | perplexity |\n| --- | --- | --- | --- | --- | --- |\n";
    for (const auto& row : comparison.rows)
        text += "| " + row.label + " | " + (row.baseline ? "-" : fixed(row.keep, 1)) + " | " + byteSize(row.cost.bytes) + " | " + percent(row.relativeLoss, 2) + " | " +
                percent(row.heldOutRelativeLoss, 2) + " | " + significant(row.quality.perplexity.mean) + " |\n";
    return text + "\nAt equal bytes rounding is the honest alternative: the rows of 8 and 4 bits. `docs/results.md` has every method.\n";
}

} // namespace tamis::cli
