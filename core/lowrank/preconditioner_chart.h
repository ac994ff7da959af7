// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/lowrank/method.h"

#include <string>

namespace tamis::lowrank {

/// Relative loss against rank of one matrix under every preconditioner that the calibration allows: calibration solid, held-out
/// dashed in the same colour, the least possible loss among them as the optimal preconditioners draw it. `parameters`: alpha and
/// ridge of lowrank.local (others are ignored). Decompositions come from the shared cache. Throws Error{InvalidParameter} for a
/// name that the checkpoint lacks and without a calibration site, Error{NonFinite, Cancelled}. Any thread.
report::MethodFigure preconditionerChart(const Inputs& inputs, const std::string& matrix, const Parameters& parameters, const RunContext& context);

} // namespace tamis::lowrank
