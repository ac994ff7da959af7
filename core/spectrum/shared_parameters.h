// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Parameters that several methods declare alike: one place for their ranges, defaults and words.
#include "core/base/parameter_schema.h"

#include <string>

namespace tamis::spectrum {

/// "ridge": relative to the mean of C's diagonal, 0 by default. `help` where the method uses it for something of its own.
ParameterSpec ridgeParameter(std::string help = "Added to the diagonal of C: trades calibration loss for held-out loss when tokens are few (1e-4 to 1e-2)");

/// "alpha": the exponent of a diagonal scale of the inputs, 0.5 as in ASVD.
ParameterSpec scaleExponentParameter(std::string help);

/// "iterations" and "tolerance": when an alternation between two planes stops. `atZero` says what 0 iterations give.
ParameterSpec iterationsParameter(const std::string& atZero);
ParameterSpec toleranceParameter();

} // namespace tamis::spectrum
