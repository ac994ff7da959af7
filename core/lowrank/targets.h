// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What every method of the lab shares: which matrices, which ranks, from factors to an operator.
#include "core/lowrank/evidence.h"
#include "core/lowrank/method.h"
#include "core/spectrum/method.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tamis::lowrank {

/// The matrices to compress: inputs.matrices, or every linear operator of the blocks (roles q, k, v, qkv, o, up, gate, down) that
/// the model runs dense, in the layout's order. With a calibration set, those without a site are left out with a warning in
/// `warnings`. Throws Error{InvalidParameter} for a name that the checkpoint or the model does not have, and when the calibration
/// set was captured from another model or has another number of features (one sentence).
std::vector<const io::MatrixRef*> targets(const Inputs& inputs, std::vector<std::string>& warnings, const RunContext& context = {});

/// A rank for every target within the budget, by name; a matrix that is not in the map stays dense. Uniform needs no spectrum;
/// other allocations are spent on whitened spectra (plain ones without a calibration set), and what else they or the budget's
/// unit need is measured here. Where the budget cannot be met, a warning says what is the least. Throws
/// Error{InvalidParameter} for an allocation that the inputs do not allow.
std::map<std::string, std::int64_t> chooseRanks(const Inputs& inputs, const std::vector<const io::MatrixRef*>& targets,
                                                const plan::BudgetRequest& budget, std::vector<std::string>& warnings, const RunContext& context,
                                                const AllocationMeasurement& measurement = {});

/// B A [m, n] as the operator that the accounting says: factors, remapped (remapping.h), or the block-identity junction, whose condition and largest
/// coefficient go to `matrix` (may be null). b [m, r], a [r, n].
nn::LinearPtr makeOperator(const tensor::Matrix<double>& b, const tensor::Matrix<double>& a, std::vector<float> bias, plan::Accounting accounting,
                           report::LowRankMatrix* matrix, const RunContext& context);

/// The first `rank` columns of b and rows of a as two factors: what a spectrum's factors of that rank are, which nest.
nn::LinearPtr firstComponents(const spectrum::Factors& factors, std::int64_t rank, const std::vector<float>& bias);

/// Rounds to float.
tensor::Matrix<float> rounded(const tensor::Matrix<double>& exact);

} // namespace tamis::lowrank
