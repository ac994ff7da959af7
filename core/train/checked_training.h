// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The loop behind trained encoders and trained token methods: batches in a drawn order, losses seen while it runs, samples kept apart to check on,
// an early stop, the best parameters at the end.
#include "core/report/series.h"
#include "core/train/parameter_set.h"
#include "core/train/tape.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace tamis::train {

/// AdamW, the learning rate along half a cosine.
struct CheckedTrainingSettings {
    std::int64_t steps = 200, batch = 8;
    std::int64_t checkEvery = 20; ///< steps between two looks at the samples kept apart
    std::int64_t patience = 5;    ///< such looks without a better loss end training; 0: never
    double learningRate = 1e-3, warmUp = 0.05, weightDecay = 0, clipNorm = 1; ///< clipNorm 0: gradients are not clipped
    std::uint64_t seed = 0;       ///< of the order of the samples
};

/// What is trained on. The two kinds of samples are counted by themselves, each from 0.
struct CheckedTask {
    std::int64_t trained = 0, checked = 0; ///< how many there are, at least 1 of each
    /// Loss [1, 1], a mean over the samples at `places` of one kind (`checking`: of those kept apart, and without noise), from tape.parameter(...) of the set.
    /// Memory that the tape looks at stays until the next call with the same `checking`. `step` counts from 0.
    std::function<Variable<float>(Tape<float>& tape, std::span<const std::int64_t> places, std::int64_t step, bool checking)> loss;
    std::function<bool()> enough; ///< asked after every step: true ends training with the best so far; may be empty
    std::function<void(const std::vector<report::Series>&)> seen; ///< the losses so far, every 100 ms or so and at the end, on this thread; may be empty
    std::string samples = "samples"; ///< what they are called, for sentences
    std::string best = "the best";   ///< what is kept, likewise
};

struct CheckedTrainingResult {
    std::vector<report::Series> losses; ///< "training", "held out"
    std::vector<std::string> warnings;  ///< why training ended before its time
    std::int64_t steps = 0, bestStep = 0;
    double startLoss = 0, bestLoss = 0; ///< on the samples kept apart
};

/// Throws Error{InvalidParameter} for less than a step, a sample a batch, a step between looks, or a negative patience.
void requireTrainable(const CheckedTrainingSettings& settings, const std::string& samples);

/// Trains `parameters`; afterwards they are the best there were, by the loss on the samples kept apart: never worse there than at the start. A loss that is
/// no number ends training with a warning and the best so far. Does not depend on the number of threads. Throws as requireTrainable,
/// Error{NonFinite} when the first loss is no number, Error{Cancelled} within 100 ms of work of one batch, and what task.loss throws.
CheckedTrainingResult trainChecked(ParameterSet<float>& parameters, const CheckedTrainingSettings& settings, const CheckedTask& task, const RunContext& context);
/// The same for the parameters of several sets together. Those of rate 0 are neither trained nor copied.
CheckedTrainingResult trainChecked(const std::vector<ParameterSet<float>*>& sets, const CheckedTrainingSettings& settings, const CheckedTask& task, const RunContext& context);

} // namespace tamis::train
