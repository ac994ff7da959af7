// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What one row of logits says, alone and against another one. All sums in double.
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace tamis::measure {

/// Classes by falling logit, at most `count`; of equal logits the lower index first, as argmax does it. Throws
/// Error{NonFinite} for NaN or infinity, Error{InvalidParameter} for an empty row.
std::vector<int> bestClasses(std::span<const float> logits, std::size_t count);

/// softmax(logits) of these classes.
std::vector<float> probabilities(std::span<const float> logits, std::span<const int> classes);

struct LabelScore {
    bool top1 = false, top5 = false;
    double negativeLogLikelihood = 0; ///< -ln softmax(logits)[label], nats
};

/// Throws Error{InvalidParameter} when `label` is not a class, Error{NonFinite}.
LabelScore scoreLabel(std::span<const float> logits, std::int64_t label);

struct LogitDifference {
    bool agree = false;  ///< the same best class
    double kl = 0;       ///< KL(softmax(reference) || softmax(other)), nats; at least 0
    double cosine = 1;   ///< of the logits; 1 for two zero rows, 0 when one of them is zero
};

/// Throws Error{InvalidParameter} for other lengths, Error{NonFinite}.
LogitDifference compareLogits(std::span<const float> reference, std::span<const float> other);

} // namespace tamis::measure
