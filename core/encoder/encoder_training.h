// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The loop that every trained encoder goes through: batches of calibration rows with their exact codes, losses seen while it runs, rows kept
// apart to check on, an early stop, the best parameters at the end. Private to the lab.
#include "core/encoder/method.h"
#include "core/train/tape.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tamis::encoder {

struct EncoderTrainingSettings {
    EncoderTrainingSettings() = default;
    explicit EncoderTrainingSettings(const Parameters& complete, std::uint64_t seed = 0); ///< of encoderTrainingParameters()
    std::int64_t steps = 2000, batch = 256;
    std::int64_t checkEvery = 50; ///< steps between two looks at the rows kept apart
    std::int64_t patience = 10;   ///< such looks without a better loss end training; 0: never
    double learningRate = 3e-3, warmUp = 0.05, weightDecay = 0, clipNorm = 1;
    double checkShare = 0.125;    ///< of the calibration rows, kept apart; at least 1, at most 2048 rows
    std::uint64_t seed = 0;
};

/// steps, batch, learning-rate, warm-up, check-every, patience, seed.
std::vector<ParameterSpec> encoderTrainingParameters();

/// Some calibration rows.
struct TrainingRows {
    train::View<const float> x;      ///< prepared [n, D], stays until the tape's reset()
    train::View<const float> target; ///< what the exact codes decode to in the space of the decoder, less its bias: sum_j z_j d_j [n, D]; on request, else empty
    SparseCodes exact;               ///< the exact codes of the rows
};

struct EncoderObjective {
    /// Loss [1, 1] of some rows, from tape.parameter(...) of the set that is trained; `checking`: without noise, what is compared.
    std::function<train::Variable<float>(train::Tape<float>&, const TrainingRows&, std::int64_t step, bool checking)> loss;
    std::string unit; ///< title of the loss axis
};

struct EncoderTrainingResult {
    std::vector<report::Series> losses; ///< "training", "held out"
    std::vector<std::string> warnings;
    std::int64_t steps = 0, bestStep = 0;
    double startLoss = 0, bestLoss = 0; ///< on the rows kept apart
};

/// Trains `parameters` on inputs.calibration; afterwards they are the best there were. Ends early by patience and by inputs.enough. A loss
/// that is no number ends training with a warning and the best so far. Does not depend on the number of threads. Throws
/// Error{InvalidParameter} for fewer than 2 calibration rows or another width, Error{NonFinite} when the first loss is no number, Error{Cancelled}
/// within 100 ms.
EncoderTrainingResult trainEncoder(train::ParameterSet<float>& parameters, const Inputs& inputs, const EncoderTrainingSettings& settings, const EncoderObjective& objective,
                                   const RunContext& context);

} // namespace tamis::encoder
