// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The loop that every trained method of the lab goes through: batches of photos, losses seen while it runs, photos kept apart to check on, an
// early stop, the best parameters at the end. Private to the lab.
#include "core/tokens/method.h"
#include "core/tokens/training_photos.h"
#include "core/train/tape.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace tamis::tokens {

struct TokenTrainingSettings {
    TokenTrainingSettings() = default;
    explicit TokenTrainingSettings(const Parameters& complete); ///< of tokenTrainingParameters()
    std::int64_t steps = 200, batch = 8;
    std::int64_t checkEvery = 20; ///< steps between two looks at the photos kept apart
    std::int64_t patience = 5;    ///< such looks without a better loss end training; 0: never
    double learningRate = 1e-3, warmUp = 0.05, weightDecay = 0.05, clipNorm = 1;
    double checkShare = kCheckShare; ///< of the photos, kept apart: splitPhotos()
    std::uint64_t seed = 0;
};

/// steps, batch, learning-rate, warm-up, check-every, patience, seed.
std::vector<ParameterSpec> tokenTrainingParameters();

/// Loss [1, 1], a mean over the photos, from tape.parameter(...) of the set that is trained; `step` counts from 0; `checking`: without noise, what
/// is compared.
using TokenLoss = std::function<train::Variable<float>(train::Tape<float>& tape, const TrainingPhotos& photos, std::int64_t step, bool checking)>;

struct TokenTrainingResult {
    std::vector<report::Series> losses; ///< "training", "held out"
    std::vector<std::string> warnings;  ///< photos that cannot be read, and why training ended before its time
    std::int64_t steps = 0, bestStep = 0;
    double startLoss = 0, bestLoss = 0; ///< on the photos kept apart
};

/// Trains `parameters` on inputs.calibration; afterwards they are the best there were, by the loss on the photos kept apart: never worse there
/// than at the start. Ends early by patience and by inputs.enough. Photos that cannot be read are left out with a warning. A loss that is no
/// number ends training with a warning and the best so far. Does not depend on the number of threads. Throws Error{InvalidParameter} for fewer
/// than 2 photos, for a photo of another size than the model's and for a label beyond its classes, Error{NonFinite} when the first loss is no
/// number, Error{Cancelled} within 100 ms of work of one batch.
TokenTrainingResult trainOnPhotos(train::ParameterSet<float>& parameters, const Inputs& inputs, const TokenTrainingSettings& settings, const TokenLoss& loss, const RunContext& context);

/// What `method` trained, for the model of inputs.checkpoint: every parameter of the set as a tensor of its name and shape.
TrainedParts partsOf(std::string method, Parameters complete, const Inputs& inputs, const train::ParameterSet<float>& parameters, TokenTrainingResult result, const RunContext& context);
/// What train() asks first. Throws Error{InvalidParameter} without a checkpoint or without photos.
void requireTrainable(const Inputs& inputs, const std::string& method);
/// What chain() of a method that trains asks first: inputs.trained, for this method and for the model of inputs.checkpoint. Throws
/// Error{InvalidParameter}, also where there is nothing trained.
const TrainedParts& requireTrained(const Inputs& inputs, const std::string& method, const RunContext& context);

} // namespace tamis::tokens
