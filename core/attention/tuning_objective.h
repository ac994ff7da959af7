// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A model on the tape with operators in its blocks, and what it is to learn. Private to the lab.
#include "core/attention/tape_assignment.h"
#include "core/io/checkpoint.h"
#include "core/measure/sample_source.h"

#include <memory>
#include <span>
#include <vector>

namespace tamis::attention {

struct ObjectiveWeights {
    double teacher = 1, labels = 0, temperature = 1;
};

class TuningObjective {
public:
    /// `model` is the teacher, and like `operators` outlives it. Throws Error{UnsupportedFeature} for families that no tape runs,
    /// Error{InvalidParameter} for labels where a model has no classes, and what loading throws.
    TuningObjective(const io::Checkpoint& checkpoint, const nn::Model& model, TapeOperators& operators, const ObjectiveWeights& weights, const RunContext& context);
    ~TuningObjective();

    train::ParameterSet<float>& parameters() noexcept; ///< of the model
    /// Rows of logits of samples of one length, one sample after the other.
    train::Variable<float> logits(train::Tape<float>& tape, std::span<const measure::LoadedSample* const> samples);
    /// The mean loss [1, 1]: over all rows, groups of one length weighted by theirs. `places`: in the source, for what
    /// the teacher said of them, kept up to 256 MiB. Throws Error{InvalidParameter} for a sample without a label where there is no teacher.
    train::Variable<float> loss(train::Tape<float>& tape, std::span<const measure::LoadedSample* const> samples, std::span<const std::size_t> places);

private:
    struct Content;
    std::unique_ptr<Content> m_content;
};

} // namespace tamis::attention
