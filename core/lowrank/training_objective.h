// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What trained factors are to achieve: the task itself, or the dense model's outputs. Private to the lab.
#include "core/lowrank/method.h"
#include "core/lowrank/training_samples.h"
#include "core/train/observe.h"

#include <memory>
#include <span>
#include <string>

namespace tamis::lowrank {

struct ObjectiveSettings {
    bool distil = false;      ///< the dense model's outputs instead of the task
    double temperature = 1;   ///< distil: T^2 KL(softmax(dense / T) | softmax(logits / T)), a row's mean
    double hiddenWeight = 0;  ///< added, for either: times the mean over blocks of |x - x_dense|^2 / |x_dense|^2 of what leaves them
};

/// A checkpoint on the tape with its own parameters frozen, beside the dense model that teaches it. One thread at a time.
class TrainingObjective {
public:
    /// Throws Error{UnsupportedFeature} for families that no tape runs, Error{InvalidParameter} for the task of a model without
    /// classes (one sentence).
    TrainingObjective(const Inputs& inputs, const ObjectiveSettings& settings, const RunContext& context);
    ~TrainingObjective();

    /// What loss() is the mean of, in words, for an axis: "cross entropy, nats".
    std::string unit() const;
    /// Logits [rows, outputs] of samples of one shape, one after another. `hooks` as for the model on the tape.
    train::Variable<float> logits(train::Tape<float>& tape, std::span<const measure::LoadedSample* const> samples, const train::ForwardHooks<float>& hooks);
    /// The mean loss [1, 1] over all rows that count: next tokens that the samples score, photos; distilled: all rows. A photo
    /// without a label has the class that the dense model finds most probable. `weight` (may be null): the number of these rows.
    train::Variable<float> loss(train::Tape<float>& tape, std::span<const measure::LoadedSample> samples, const train::ReplaceLinear<float>& replace,
                                double* weight = nullptr);

private:
    struct Content;
    std::unique_ptr<Content> m_content;
};

} // namespace tamis::lowrank
