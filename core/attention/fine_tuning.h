// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Trains a model around attention operators in its blocks, to give again what the whole model gives (Hinton, Vinyals, Dean 2015), or for its task.
#include "core/attention/tuned.h"
#include "core/measure/sample_source.h"

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <vector>

namespace tamis::attention {

enum class TrainedPart {
    All,         ///< every weight of the model, and what operators have of their own
    Projections, ///< q, k, v and output projections of the blocks that choices name (of all where there is no choice), and operators' own
    Operators    ///< operators' own parameters alone
};

struct TuningSettings {
    TuningSettings() = default;
    explicit TuningSettings(const Parameters& complete); ///< of tuningParameters()
    Parameters asParameters() const;
    std::int64_t steps = 200; ///< 0: nothing is trained
    std::int64_t batch = 8;
    std::int64_t length = 0;     ///< tokens of a text, from its first; 0: all
    std::int64_t checkEvery = 20; ///< steps between two looks at the samples kept apart
    std::int64_t patience = 5;    ///< such looks without a better loss end training; 0: never
    double learningRate = 3e-4, warmUp = 0.05, weightDecay = 0.01, clipNorm = 1; ///< clipNorm 0: gradients are not clipped
    /// teacher * T^2 KL(softmax(whole / T) | softmax(logits / T)) + labels * cross entropy of classes or next tokens, means over rows. Models without
    /// classes: the squared error of the features, relative, instead of the divergence.
    double teacher = 1, labels = 0, temperature = 1;
    double checkShare = 0.125; ///< of the samples, kept apart
    TrainedPart part = TrainedPart::All;
    bool fresh = false;        ///< from random weights (by `seed`, the same for all operators) instead of the checkpoint's; with all weights trained alone
    std::uint64_t seed = 0;    ///< of the order of the samples
};

/// steps, batch, length, learning-rate, warm-up, weight-decay, teacher, labels, temperature, trained, start, check-every, patience, seed.
std::vector<ParameterSpec> tuningParameters();

/// Between a training and whoever watches it. `seen` is called on the training's thread, some ten times a second.
struct TuningTalk {
    std::function<void(const std::vector<report::Series>&)> seen = {};
    std::stop_token enough = {}; ///< asked to stop: the training ends with the best so far
};

/// AdamW along half a cosine. The best weights by the loss on the samples kept apart (spread evenly over the source) are the result: never worse there
/// than at the start. No choices: the model's own attention, trained as long; what a comparison needs. A loss that is no number ends training
/// with a warning. Does not depend on the number of threads. Throws Error{OutOfMemory} before the first step when the training cannot fit,
/// Error{UnsupportedFeature} for a family or a method that no tape runs, Error{InvalidParameter} for fewer than two samples, for nothing to train and
/// for samples that do not fit the model, for random weights of which only some are trained, Error{NonFinite} when the first loss is no number, Error{Cancelled} within 100 ms of work of one batch.
Tuned fineTune(const io::Checkpoint& checkpoint, std::span<const HeadChoice> choices, const AssignmentInputs& with, const measure::SampleSource& source, const TuningSettings& settings,
               const RunContext& context, const TuningTalk& talk = {});

} // namespace tamis::attention
