// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The exponent of effective-rank's importance, tried on the model: Swift-SVD's grid.
#include "core/lowrank/method.h"
#include "core/plan/allocation_evidence.h"
#include "core/report/spectrum_report.h"

#include <cstddef>
#include <vector>

namespace tamis::lowrank {

struct TriedWeight {
    double weight = 0;
    double harm = 0; ///< KL from the dense model, nats a prediction; of a model of features 1 - mean cosine
};

/// Weights 0, 0.1 .. 1 in order: the whole model with every target at the ranks that `budget` (effective-rank) gives at that
/// weight, whitened factors (plain ones without a calibration set), on `samples` of inputs.samples, evenly spread (0: all).
/// Weights that give the same ranks are measured once. Throws Error{InvalidParameter} without a model or samples, and what
/// allocating and evaluating throw.
std::vector<TriedWeight> tryImportanceWeights(const Inputs& inputs, const std::vector<const io::MatrixRef*>& targets, const plan::BudgetRequest& budget,
                                              const report::SpectrumReport& spectra, const plan::AllocationEvidence& evidence, std::size_t samples,
                                              const RunContext& context);

} // namespace tamis::lowrank
