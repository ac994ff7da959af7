// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a plan needs to be carried out: its method, and the files that it was made from. Internal to core.
#include "core/base/run_context.h"
#include "core/plan/plan.h"
#include "core/spectrum/method.h"

namespace tamis::plan {

/// Throws Error{UnsupportedFeature} when the program does not have the plan's method.
const spectrum::Method& methodOf(const Plan& plan);

/// Throws Error{InvalidParameter} unless the model has the hash that the plan holds. Hashes the files.
void requireModel(const Plan& plan, const io::Checkpoint& checkpoint, const RunContext& context);

/// The same of a calibration set; says so when it was captured from another model.
void requireCalibration(const Plan& plan, const io::CalibrationSet& calibration, const RunContext& context);

/// Model and (where the method needs one) calibration set must have the hashes that the plan holds. Throws
/// Error{InvalidParameter}. Hashes the files.
void requireInputs(const Plan& plan, const spectrum::Method& method, const spectrum::Inputs& inputs, const RunContext& context);

} // namespace tamis::plan
