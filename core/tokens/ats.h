// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Fayyaz et al. 2022, "Adaptive Token Sampling for Efficient Vision Transformers": easy images keep fewer tokens.
#include "core/tokens/method.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::tokens {

/// Positions in `scores` whose cumulative share lies nearest to one of `samples` equally spaced values between the smallest share and 1;
/// scores in ascending order, each position once, ascending. At most `samples` of them. Scores that are all zero: the first `samples`.
std::vector<std::int32_t> sampleByCumulativeShare(std::span<const float> scores, std::int64_t samples);

/// At most `most` patches stay, `least` at least.
ReductionPtr atsStep(std::int64_t most, std::int64_t least);

Method atsMethod();

} // namespace tamis::tokens
