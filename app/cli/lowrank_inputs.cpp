// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/lowrank_inputs.h"

#include "app/cli/method_choice.h"
#include "app/cli/run_inputs.h"
#include "app/cli/usage_error.h"
#include "app/samples/sample_request.h"
#include "core/base/error.h"

#include <nlohmann/json.hpp>

#include <filesystem>

namespace tamis::cli {

const lowrank::Method& lowRankMethodNamed(const std::string& id)
{
    return methodAmong(lowrank::methods(), id);
}

lowrank::Inputs openLowRankInputs(const RunOptions& options, const RunContext& context)
{
    lowrank::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(options.model, context);
    inputs.model = nn::Model::load(*inputs.checkpoint, context);
    if (!options.calibration.empty())
        inputs.calibration = io::CalibrationSet::open(options.calibration, context);
    const SampleOptions& samples = options.samples;
    if (!samples.images.empty() || !samples.tokens.empty() || !samples.text.empty())
        inputs.samples = app::openSamples(requestFrom(samples), options.model, *inputs.model, context);
    if (!options.layers.empty())
        inputs.matrices = selectMatrices(*inputs.checkpoint, options.layers, "--layer");
    return inputs;
}

void requireFor(const lowrank::Method& method, const lowrank::Inputs& inputs)
{
    const std::string& id = method.declaration.id;
    if (method.needsCalibration && !inputs.calibration)
        throw UsageError(id + " needs a calibration set: --calibration FILE (tamis-cli capture makes one)");
    if (method.needsSamples && !inputs.samples)
        throw UsageError(id + " runs the model on samples: --images DIR, --tokens FILE or --text FILE");
}

std::unique_ptr<measure::SampleSource> openHeldOut(const RunOptions& options, const nn::Model& model, const RunContext& context)
{
    if (options.heldOut.empty())
        return nullptr;
    app::SampleRequest request;
    const std::filesystem::path file = options.heldOut;
    if (std::filesystem::is_directory(file))
        request.images = file;
    else if (file.extension() == ".npy")
        request.tokens = file;
    else
        request.text = file;
    request.labels = options.heldOutLabels;
    request.windows = {options.samples.context, options.samples.stride};
    request.limit = static_cast<std::size_t>(options.heldOutLimit);
    request.squash = options.samples.resize == "squash";
    return app::openSamples(request, options.model, model, context);
}

plan::BudgetRequest budgetFrom(const RunOptions& options, double keep)
{
    plan::BudgetRequest request;
    request.keep = keep;
    request.alignment = options.alignment;
    request.settings = allocationSettingsFrom(options.allocationSettings);
    try {
        request.allocation = plan::parseAllocation(options.allocation);
        request.accounting = plan::parseAccounting(options.accounting);
        request.unit = plan::parseUnit(options.unit);
    } catch (const Error& error) {
        throw UsageError(error.what());
    }
    return request;
}

void declareLowRank(OptionSet& set, RunOptions& options)
{
    std::vector<std::string> allocations;
    for (const plan::Allocation allocation : plan::allAllocations())
        allocations.emplace_back(plan::allocationName(allocation));
    set.choice("--allocate", options.allocation, allocations, "lowrank.*: how the budget is shared out (uniform); sensitivity and loss-aware run the model on the samples");
    set.texts("--allocation-set", options.allocationSettings, "NAME=VALUE", "lowrank.*: a setting of the allocation: docs/methods/allocation.md (repeatable)");
    set.choice("--unit", options.unit, {"parameters", "bytes", "macs", "latency"}, "lowrank.*: what --keep is a fraction of (parameters)");
    set.choice("--accounting", options.accounting, {"factors", "block-identity", "remapped"}, "lowrank.*: what a rank costs (factors)");
    set.integer("--align", options.alignment, 1, 1024, "lowrank.*: ranks are multiples of N (1)");
    declareSamples(set, options.samples, "--samples");
    set.text("--held-out", options.heldOut, "PATH", "lowrank.*: measure quality on these: a folder of photos, .npy of token ids, or a text");
    set.integer("--held-out-limit", options.heldOutLimit, 1, 1'000'000'000, "Held-out samples to measure on, evenly spread over those there are (all)");
    set.text("--held-out-labels", options.heldOutLabels, "FILE", "Classes of the held-out photos, as --labels");
}

nlohmann::ordered_json inputsJson(const lowrank::Inputs& inputs, const measure::SampleSource* heldOut, const RunContext& context)
{
    auto json = inputsJson(spectrum::Inputs{inputs.checkpoint, inputs.calibration, {}}, context);
    json["samples"] = inputs.samples ? nlohmann::ordered_json(inputs.samples->description()) : nlohmann::ordered_json(nullptr);
    json["heldOut"] = heldOut ? nlohmann::ordered_json(heldOut->description()) : nlohmann::ordered_json(nullptr);
    return json;
}

} // namespace tamis::cli
