// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the low-rank tab asks of core. Everything here runs on workers, never on the window's thread.
#include "app/samples/sample_request.h"
#include "app/session/session_state.h"
#include "app/session/workspace.h"
#include "app/window/lowrank_configurations.h"
#include "app/window/model_work.h"
#include "core/lowrank/comparison.h"
#include "core/lowrank/method.h"
#include "core/lowrank/sensitivity.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

namespace tamis::app {

/// A folder holds photos (with labels.tsv beside them, if it is there), .npy and .ids token ids, anything else text.
SampleRequest samplesOf(const std::filesystem::path& path, std::size_t limit = 0);

/// What the lab's methods work on; empty paths: no samples.
struct LabInputs {
    std::shared_ptr<RunnableModel> model;
    std::filesystem::path training;     ///< samples to calibrate and train on
    std::vector<std::string> matrices;  ///< empty: every compressible one
    bool operator==(const LabInputs&) const = default;
};

/// Loads what is missing. Throws what loading the model and opening samples throw.
lowrank::Inputs openInputs(const LabInputs& inputs, const RunContext& context);

struct CompareRequest {
    LabInputs inputs;
    std::filesystem::path heldOut;
    std::size_t samples = 0;                        ///< held-out ones at most; 0: all
    std::vector<lowrank::ComparisonEntry> entries;  ///< the baselines among them
    bool latency = true;
};

/// Rounding to 8 and 4 bits, then each of `configurations` at each of `keeps`; `allocation` and `accounting` hold where one says nothing else.
std::vector<lowrank::ComparisonEntry> entriesOf(const std::vector<Configuration>& configurations, const std::vector<double>& keeps, plan::Allocation allocation,
                                                plan::Accounting accounting);
/// Throws Error{InvalidParameter} where held-out and training samples are the same, and what compareMethods and openInputs throw.
report::MethodComparison compare(const CompareRequest& request, const RunContext& context, const lowrank::RowFinished& finished);

/// What each matrix alone does to the model, on inputs.training. Throws what measureSensitivity and openInputs throw.
report::SensitivityReport measureSensitivity(const LabInputs& inputs, const RunContext& context, const lowrank::MatrixMeasured& finished);

} // namespace tamis::app
