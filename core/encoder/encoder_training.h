// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The loop that every trained encoder goes through: batches of calibration rows with their exact codes, losses seen while it runs, rows kept
// apart to check on, an early stop, the best parameters at the end; and how it becomes a method. Private to the lab.
#include "core/encoder/method.h"
#include "core/train/tape.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tamis::encoder {

struct EncoderTrainingSettings {
    EncoderTrainingSettings() = default;
    explicit EncoderTrainingSettings(const Parameters& complete, std::uint64_t seed = 0); ///< of encoderTrainingParameters(); `seed` is added to theirs
    std::int64_t steps = 2000, batch = 256;
    std::int64_t checkEvery = 50; ///< steps between two looks at the rows kept apart
    std::int64_t patience = 10;   ///< such looks without a better loss end training; 0: never
    double learningRate = 3e-3, warmUp = 0.05, weightDecay = 0, clipNorm = 1;
    double checkShare = 0.125;    ///< of the calibration rows, the last ones, kept apart; at least 1, at most 2048 rows
    std::uint64_t seed = 0;
};

/// steps, batch, learning-rate, warm-up, check-every, patience, seed.
std::vector<ParameterSpec> encoderTrainingParameters();

/// What TrainingRows::target holds, in the space of the decoder's rows, less its bias.
enum class TrainingTarget {
    None,
    ExactCodes, ///< what the exact codes decode to: sum_j v_j d_j
    Input       ///< the prepared input less the decoder's bias; exact codes where the autoencoder decodes into something else, with a warning
};

/// Some calibration rows. The scales are means over the rows that are trained on, the same for every batch: losses divided by them have no
/// unit and average over batches.
struct TrainingRows {
    train::View<const float> x;      ///< prepared [n, D], stays until the tape's reset()
    train::View<const float> target; ///< [n, D], stays as long; empty for TrainingTarget::None
    SparseCodes exact;               ///< the exact codes of the rows
    double codeEnergy = 1;           ///< mean over rows of sum_j z_j^2 of the exact codes; 1 where all are empty
    double targetVariance = 1;       ///< mean over rows of |target - mean target|^2; 1 where they are all equal or there are none
};

struct EncoderObjective {
    /// Loss [1, 1], a mean over the rows, from tape.parameter(...) of the set that is trained; `step` counts from 0; `checking`: without
    /// noise, what is compared.
    std::function<train::Variable<float>(train::Tape<float>&, const TrainingRows&, std::int64_t step, bool checking)> loss;
    TrainingTarget target = TrainingTarget::None;
};

struct EncoderTrainingResult {
    std::vector<report::Series> losses; ///< "training", "held out"
    std::vector<std::string> warnings;
    std::int64_t steps = 0, bestStep = 0;
    double startLoss = 0, bestLoss = 0; ///< on the rows kept apart
};

/// Trains `parameters` on inputs.calibration; afterwards they are the best there were, by the loss on the rows kept apart: never worse there
/// than at the start. Ends early by patience and by inputs.enough. A loss that is no number ends training with a warning and the best so far.
/// Does not depend on the number of threads. Throws Error{InvalidParameter} for fewer than 2 calibration rows or another width,
/// Error{NonFinite} when the first loss is no number, Error{Cancelled} within 100 ms.
EncoderTrainingResult trainEncoder(train::ParameterSet<float>& parameters, const Inputs& inputs, const EncoderTrainingSettings& settings, const EncoderObjective& objective,
                                   const RunContext& context);
/// The same; built.training gets the losses, built.warnings the warnings behind those it has.
void trainInto(Built& built, train::ParameterSet<float>& parameters, const Inputs& inputs, const EncoderTrainingSettings& settings, const EncoderObjective& objective,
               const RunContext& context);

/// A method of that declaration that trains on calibration rows.
Method trainedMethod(MethodDeclaration declaration, decltype(Method::build) build, decltype(Method::restore) restore, decltype(Method::afterTraining) afterTraining);
/// What `method` trained for the dictionary, by its fingerprint. Throws Error{Cancelled}.
std::shared_ptr<const TrainedEncoder> trainedBy(std::string method, Parameters complete, const Dictionary& dictionary, std::vector<TrainedTensor> tensors, const RunContext& context);
/// What restore() starts from: `trained` with its parameters completed by the schema. Throws as trained.requireFor() and complete() do.
TrainedEncoder completed(const TrainedEncoder& trained, const std::string& method, const ParameterSchema& schema, const Dictionary& dictionary, const RunContext& context);

} // namespace tamis::encoder
