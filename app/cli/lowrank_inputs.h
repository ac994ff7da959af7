// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What `run lowrank.*` and `compare` have in common.
#include "app/cli/console.h"
#include "app/cli/options.h"
#include "app/cli/run_options.h"
#include "core/lowrank/method.h"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <string>
#include <vector>

namespace tamis::cli {

/// Throws UsageError naming the methods there are.
const lowrank::Method& lowRankMethodNamed(const std::string& id);

/// Opens model, calibration set (may be empty) and the samples that --images, --tokens or --text name (may be none).
lowrank::Inputs openLowRankInputs(const RunOptions& options, const RunContext& context);
/// Throws UsageError for what the method needs and `inputs` lack.
void requireFor(const lowrank::Method& method, const lowrank::Inputs& inputs);

/// The samples that --held-out names: a folder of photos, .npy of token ids, otherwise a text; null without it.
std::unique_ptr<measure::SampleSource> openHeldOut(const RunOptions& options, const nn::Model& model, const RunContext& context);

/// Throws UsageError for names that there are not.
plan::BudgetRequest budgetFrom(const RunOptions& options, double keep);

/// --allocate, --accounting, --align, the samples and --held-out.
void declareLowRank(OptionSet& set, RunOptions& options);

/// {"model", "calibration", "samples", "heldOut"}. Hashes the files.
nlohmann::ordered_json inputsJson(const lowrank::Inputs& inputs, const measure::SampleSource* heldOut, const RunContext& context);
nlohmann::ordered_json toJson(const report::LowRankReport& report); ///< its part of tamis.run/1
nlohmann::ordered_json toJson(const report::MethodComparison& comparison); ///< its part of tamis.compare/1

/// One method on one model: `tamis-cli run lowrank.*`.
void runLowRank(Console& console, const RunOptions& options);

} // namespace tamis::cli
