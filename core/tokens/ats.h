// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Fayyaz et al. 2022, "Adaptive Token Sampling for Efficient Vision Transformers": easy images keep fewer tokens.
#include "core/tokens/method.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::tokens {

/// Scores in ascending order are summed up and the sums scaled to 0 .. 1, as the authors do: that of the lowest score is 0. Of `samples` values, equally
/// spaced from the least sum above 0 to 1, each picks the position whose sum lies nearest. Each position once, ascending: at most `samples`, and the
/// lowest never, unless it is alone. One sample: the highest score. Scores that are all zero: the first position.
std::vector<std::int32_t> sampleByCumulativeShare(std::span<const float> scores, std::int64_t samples);

/// `samples` are drawn, however few patches there are: no more stay. `least` patches stay at least, those that were not sampled by score.
ReductionPtr atsStep(std::int64_t samples, std::int64_t least);

Method atsMethod();

} // namespace tamis::tokens
