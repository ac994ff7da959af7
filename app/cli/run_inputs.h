// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What `run`, `plan` and `demo` have in common: from names on the command line to a method, its parameters and its inputs.
#include "app/cli/console.h"
#include "core/plan/allocate.h"
#include "core/plan/plan.h"
#include "core/spectrum/method.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace tamis::cli {

/// Throws UsageError naming the methods there are.
const spectrum::Method& methodNamed(const std::string& id);

/// The method's defaults, --seed where the method has a parameter of that name, then every name=value of --set.
/// Throws UsageError with the schema's sentence.
Parameters parametersFrom(const MethodDeclaration& method, const std::vector<std::string>& settings, const CommonOptions& common);

/// The settings of --allocation-set, defaults for the rest. Throws UsageError with the schema's sentence.
plan::AllocationSettings allocationSettingsFrom(const std::vector<std::string>& settings);

/// Opens what the method needs. A calibration set of another model is used with a warning: shapes are checked by the
/// method. Throws UsageError when the method needs a calibration set and `calibration` is empty.
spectrum::Inputs openInputs(const spectrum::Method& method, const std::string& model, const std::string& calibration,
                            const RunContext& context);

/// Path of the calibration set for a plan read from `planFile`: `given`, or where the plan says, seen from here or from the
/// plan's own directory; empty when neither names one.
std::string calibrationOf(const std::string& given, const std::string& planFile, const plan::Plan& plan);

/// Shell pattern (*, ?, [a-z]) on names; '*' matches dots and slashes too.
bool matchesPattern(const std::string& pattern, const std::string& name);

/// Names of the layout's matrices that match any of the patterns, in the layout's order. Throws UsageError for a pattern
/// that matches none.
std::vector<std::string> selectMatrices(const io::Checkpoint& checkpoint, const std::vector<std::string>& patterns,
                                        const std::string& flag);

/// {"model": {path, sha256}, "calibration": {path, sha256, inputs, tokens}}. Hashes the files.
nlohmann::ordered_json inputsJson(const spectrum::Inputs& inputs, const RunContext& context);

} // namespace tamis::cli
