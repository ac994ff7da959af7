// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the whole model says of every frame of a sequence: what ways to reuse features are held against. Found once, used by any number of runs.
#include "core/base/run_context.h"
#include "core/reuse/frame_sequence.h"
#include "core/reuse/token_model.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace tamis::reuse {

/// Immutable once made. Everything is [frames].
struct WholeAnswers {
    std::shared_ptr<const nn::Model> model;
    std::vector<std::uint64_t> images; ///< checksums of what was run
    std::vector<Answer> answers;
    std::vector<double> milliseconds;  ///< the least of the rounds
    std::vector<int> labels;           ///< -1 in models without classes
    std::vector<double> probabilities; ///< kNotMeasured there
    bool classes = false;
};

/// The sequence run whole `rounds` times. Throws Error{InvalidParameter, LimitExceeded (as checkSequence()), UnsupportedFeature (the model), NonFinite (a pixel or an output, with its
/// frame), OutOfMemory, Cancelled}.
std::shared_ptr<const WholeAnswers> runWhole(std::shared_ptr<const nn::Model> model, const FrameSequence& sequence, int rounds, const RunContext& context);

/// Of frames first .. first + count - 1 alone, which exist.
std::shared_ptr<const WholeAnswers> partOf(const WholeAnswers& whole, std::size_t first, std::size_t count);

/// Whether they are of this model and these images, in order.
bool areOf(const WholeAnswers& whole, const nn::Model& model, const FrameSequence& sequence, const RunContext& context);

/// Best class and its probability; as they are in models without classes.
void labelOf(const Answer& answer, bool classes, int& best, double& probability);

/// Throws Error{NonFinite} with the frame's file where an answer has a value that is no finite number: nothing can be compared with it.
void requireFinite(const Answer& answer, const Frame& frame);

} // namespace tamis::reuse
