// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/lowrank_work.h"

#include "app/window/photo_work.h"
#include "core/base/error.h"
#include "core/lowrank/targets.h"

namespace tamis::app {
namespace {
namespace fs = std::filesystem;

bool isSame(const fs::path& a, const fs::path& b)
{
    std::error_code ignored;
    return !a.empty() && !b.empty() && (a == b || fs::equivalent(a, b, ignored));
}
} // namespace

SampleRequest samplesOf(const fs::path& path, std::size_t limit)
{
    SampleRequest request;
    request.limit = limit;
    std::error_code ignored;
    const std::string suffix = path.extension().string();
    if (fs::is_directory(path, ignored)) {
        request.images = path;
        request.labels = labelsOf(path);
    } else if (suffix == ".npy" || suffix == ".ids") {
        request.tokens = path;
    } else {
        request.text = path;
    }
    return request;
}

lowrank::Inputs openInputs(const LabInputs& inputs, const RunContext& context)
{
    context.setParts(2);
    lowrank::Inputs opened;
    const auto& workspace = *inputs.model->workspace();
    opened.checkpoint = workspace.checkpoint;
    opened.calibration = workspace.calibration;
    opened.matrices = inputs.matrices;
    opened.model = inputs.model->dense(context.part(1, "model"));
    if (!inputs.training.empty())
        opened.samples = openSamples(samplesOf(inputs.training), workspace.outline.modelPath, *opened.model, context.part(1, "samples"));
    context.finish();
    return opened;
}

std::vector<lowrank::ComparisonEntry> entriesOf(const std::vector<Configuration>& configurations, const std::vector<double>& keeps, plan::Allocation allocation,
                                                plan::Accounting accounting)
{
    auto entries = lowrank::standardEntries({}, {}, false); // of no keep: the baselines
    for (const Configuration& each : configurations)
        for (const double keep : keeps) {
            lowrank::ComparisonEntry entry;
            entry.method = each.method->declaration.id;
            entry.label = each.title;
            entry.parameters = each.parameters;
            entry.budget.keep = keep;
            entry.budget.allocation = allocation;
            entry.budget.accounting = accounting;
            each.budget.applyTo(entry.budget);
            entries.push_back(std::move(entry));
        }
    return entries;
}

report::MethodComparison compare(const CompareRequest& request, const RunContext& context, const lowrank::RowFinished& finished)
{
    if (isSame(request.heldOut, request.inputs.training))
        throw Error(ErrorCode::InvalidParameter, "is both held out and calibrated on, expected other samples to judge the methods on", request.heldOut.string());
    context.setParts(20);
    const auto inputs = openInputs(request.inputs, context.part(1, "inputs"));
    const auto heldOut = openSamples(samplesOf(request.heldOut, request.samples), inputs.checkpoint->path(), *inputs.model, context.part(1, "samples"));
    lowrank::ComparisonOptions options;
    options.latencyRuns = request.latency ? options.latencyRuns : 0;
    return lowrank::compareMethods(inputs, *heldOut, request.entries, options, context.part(18, "comparing"), finished);
}

report::SensitivityReport measureSensitivity(const LabInputs& wanted, const RunContext& context, const lowrank::MatrixMeasured& finished)
{
    context.setParts(20);
    const auto inputs = openInputs(wanted, context.part(1, "inputs"));
    std::vector<std::string> warnings;
    const auto targets = lowrank::targets(inputs, warnings, context.part(1, "matrices"));
    auto report = lowrank::measureSensitivity(inputs, targets, {}, context.part(18, "measuring"), finished);
    report.warnings.insert(report.warnings.begin(), warnings.begin(), warnings.end());
    return report;
}

} // namespace tamis::app
