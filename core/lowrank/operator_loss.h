// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What any operator in the place of W loses, whatever its form: measured through the matrix that it multiplies by.
#include "core/io/calibration.h"
#include "core/io/checkpoint.h"
#include "core/lowrank/method.h"
#include "core/tensor/matrix.h"

namespace tamis::lowrank {

/// tr(D C D^T) for D [m, n], C [n, n]: |D X|_F^2 of the tokens behind C. C of another side throws Error{InvalidParameter}.
double gramLoss(const tensor::Matrix<double>& d, const tensor::Matrix<double>& c, const RunContext& context = {});
/// |rows D^T|_F^2 for rows [t, n].
double rowLoss(const tensor::Matrix<double>& d, tensor::MatrixView<const float> rows, const RunContext& context = {});

/// Everything of LowRankMatrix but minimumLoss and the junction's numbers: identity, form, cost, losses with `site` (null: no
/// losses). `op` null: the dense operator itself. Operators with heads in a basis of their own (LowRankMatrix::ownBasis) have no losses.
report::LowRankMatrix measureOperator(const io::Checkpoint& checkpoint, const io::MatrixRef& matrix, const nn::LinearOp* op,
                                      const io::CalibrationSite* site, const RunContext& context = {});

/// Cost of an operator without its bias, in Tamis's accounting (float32 as stored).
report::Cost operatorCost(const nn::LinearOp& op);
/// Cost of the whole model with `compression`'s operators (checkpoint's own parameters for all else), and the sums over what was
/// replaced: fills report.cost, report.baselineCost and report.achievedKeep.
void fillCosts(const Inputs& inputs, Compression& compression);

} // namespace tamis::lowrank
