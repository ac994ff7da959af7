// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// One MLP compressed as a whole: auxiliary variables for its hidden values, alternated with the factors (SparseLLM, for low rank).
// Private to the lab.
#include "core/lowrank/mlp_updates.h"

#include <cstdint>
#include <vector>

namespace tamis::lowrank {

struct MlpSettings {
    MlpPenalties penalties;
    int iterations = 4;
    double damping = 0.01; ///< times the mean diagonal of the inputs' second moments: how firmly factors hold on to the dense weights
    int gateSteps = 2;     ///< 0: exact minimum
    double gateRate = 0.01;
    bool refit = true;     ///< fit the down projection to the hidden values that the compressed first layer really gives
};

struct MlpWeights {
    tensor::Matrix<double> up, gate, down; ///< [h, n], [h, n] or empty, [m, h]
    std::vector<double> upBias, gateBias;  ///< [h] or empty; the output's bias is the same on both sides
    kernels::Activation activation = kernels::Activation::Gelu;
    bool gated() const noexcept { return !gate.empty(); }
};

struct MlpFactors {
    FittedPair up, gate, down;
};

struct MlpSolution {
    MlpFactors factors;              ///< the best on the checked rows, the start among the candidates
    std::vector<double> objective;   ///< before, and after each block's update (factors, hidden values, z, s): never rises
    std::vector<double> fitError, checkError; ///< |Y' - Y|^2 / |Y|^2: of the start, then of each iteration's better candidate
    int bestIteration = 0;           ///< 0: the start, as given
};

/// Hidden values [t, h] that a forward pass has: sigma(x W1^T + b1), or the gated product. `factors` null: of the dense weights.
tensor::Matrix<double> hiddenOf(const MlpWeights& weights, const MlpFactors* factors, const tensor::Matrix<double>& x, const RunContext& context = {});
/// |Y' - Y|^2 / |Y|^2 on rows x [t, n].
double outputError(const MlpWeights& weights, const MlpFactors& factors, const tensor::Matrix<double>& x, const RunContext& context = {});

/// `start`: separate factors, whose ranks are kept. fit [t, n], check [t', n] (empty: the best is chosen on `fit`).
MlpSolution alternateMlp(const MlpWeights& weights, const MlpFactors& start, const tensor::Matrix<double>& fit, const tensor::Matrix<double>& check,
                         const MlpSettings& settings, const RunContext& context = {});

} // namespace tamis::lowrank
