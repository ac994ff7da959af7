// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// As many patches as there is to see: how much an image keeps follows from how complex it is.
#include "core/tokens/image_complexity.h"
#include "core/tokens/method.h"
#include "core/tokens/scores.h"

#include <cstdint>

namespace tamis::tokens {

/// From `least` at complexities up to `simple` to `most` from `complex` on, linearly between.
struct AdaptiveKeep {
    double simple = 0, complex = 1, least = 0.5, most = 0.9;
    double of(double complexity) const;
};

/// Keeps ceil(keep patches) of the highest scores, keep that of the image's complexity; the assignment remarks both.
ReductionPtr adaptiveStep(Score score, Complexity measure, const AdaptiveKeep& keep, const nn::PatchSpec& patch, std::uint64_t seed);

Method adaptiveMethod();

} // namespace tamis::tokens
