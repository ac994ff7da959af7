// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What one head's operator does to the model's output when every other head stays exact.
#include "core/attention/attention_capture.h"
#include "core/attention/assignment.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace tamis::attention {

struct HeadEffect {
    int layer = 0;
    std::int64_t head = 0;
    double logits = 0; ///< KL of the output (nats, mean over rows and samples); models without classes: 1 - cosine of the features
};

/// Those heads that a choice gives another operator than the exact one, by layer and head, each replaced alone: passes of the blocks from its own
/// on, over the captured samples (at least one, all of `model`). `finished` is called from any thread, one at a time, with every head's effect as
/// it is known; what was published stands when the run is stopped. Heads in parallel; the numbers do not depend on it.
/// `made`: operators that stand ready, of trained blocks; heads of a block that has one are replaced by its heads, where a choice names them.
/// A method that is chosen for all heads of a block and shares among them, or is fitted to them together, is made for each head alone here.
/// Throws Error{InvalidParameter, UnsupportedFeature (choices), NonFinite, Cancelled}.
std::vector<HeadEffect> logitEffects(const std::shared_ptr<const nn::Model>& model, std::span<const HeadChoice> choices, const AssignmentInputs& with,
                                     std::span<const std::shared_ptr<const AttentionCapture>> samples, const RunContext& context,
                                     const std::function<void(const HeadEffect&)>& finished = {}, const BlockOperators& made = {});

} // namespace tamis::attention
