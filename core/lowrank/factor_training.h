// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Trains the factors of a model's operators together, and compresses by that: what lowrank.trained and lowrank.distilled share.
// Private to the lab.
#include "core/lowrank/factors_on_tape.h"
#include "core/lowrank/method.h"
#include "core/lowrank/training_objective.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::lowrank {

struct FactorTrainingSettings {
    FactorTrainingSettings() = default;
    explicit FactorTrainingSettings(const Parameters& complete); ///< of factorTrainingParameters()
    std::int64_t steps = 200, batch = 8, checkEvery = 25, checkSamples = 32;
    double learningRate = 3e-3, warmUp = 0.05, weightDecay = 0, clipNorm = 1;
    bool biases = false;
    std::uint64_t seed = 0;
    ObjectiveSettings objective;
};

/// steps, batch, learning-rate, warm-up, weight-decay, clip, check-every, check-samples, init, ridge, biases, seed.
std::vector<ParameterSpec> factorTrainingParameters();

struct TrainedFactors {
    std::vector<OperatorFactors> factors;   ///< the best by the check, in the order of the start
    report::MethodFigure figure;            ///< losses by step
    double startLoss = 0, bestLoss = 0;     ///< on the checked samples; NaN without any
    std::int64_t bestStep = 0, steps = 0;   ///< steps done before the best; whole steps done
    std::vector<std::string> warnings;
};

/// AdamW along half a cosine on all factors together, all else of the model frozen. Every checkEvery steps, before the first and
/// after the last, the loss on samples that are not trained on; the best factors are kept, those of the start among them. With
/// fewer than 5 samples there is none to check on, and the last are kept (a warning says so). A loss or gradient that is no
/// number ends training with a warning that names the step; the best so far is kept. Throws Error{NonFinite} when the start's
/// loss already is none, Error{Cancelled} within 100 ms of a stop, and what TrainingObjective and samples throw.
TrainedFactors trainFactors(const Inputs& inputs, const std::vector<OperatorFactors>& start, const FactorTrainingSettings& settings, const RunContext& context);

/// The whole method: ranks, start factors, training, report. `id` names it in the report.
Compression compressByTraining(const std::string& id, const Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& complete,
                               const ObjectiveSettings& objective, const RunContext& context, const Finished& finished);

} // namespace tamis::lowrank
