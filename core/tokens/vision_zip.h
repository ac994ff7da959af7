// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Yang et al. 2024, "VisionZip: Longer is Better but Not Necessary in Vision Language Models".
#include "core/tokens/method.h"

namespace tamis::tokens {

/// How many tokens, as typed: below 1 a share of the patches, rounded to the nearest; from 1 on that many.
/// Throws Error{InvalidParameter} for a number from 1 on that is not whole. `subject` names the parameter.
std::int64_t countOf(double typed, std::int64_t patches, const std::string& subject);

/// Keeps the class token and the dominant - 1 patches of the largest class attention; of the others `contextual` at even steps stay as targets, and
/// the rest is added to the target with the most similar key: x_target + mean of those that come to it. Both as countOf reads them.
ReductionPtr visionZipStep(double dominant, double contextual);

Method visionZipMethod();

} // namespace tamis::tokens
