// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a plan needs to be carried out: its method, and the files that it was made from. Internal to core/plan.
#include "core/base/run_context.h"
#include "core/plan/plan.h"
#include "core/spectrum/method.h"

namespace tamis::plan {

/// Throws Error{UnsupportedFeature} when the program does not have the plan's method.
const spectrum::Method& methodOf(const Plan& plan);

/// Model and (where the method needs one) calibration set must have the hashes that the plan holds. Throws
/// Error{InvalidParameter}. Hashes the files.
void requireInputs(const Plan& plan, const spectrum::Method& method, const spectrum::Inputs& inputs, const RunContext& context);

} // namespace tamis::plan
