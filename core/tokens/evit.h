// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Liang et al. 2022, "Not All Patches are What You Need: Expediting Vision Transformers via Token Reorganizations".
#include "core/tokens/method.h"
#include "core/tokens/schedule.h"

namespace tamis::tokens {

/// Keeps ceil(keep patches), or a number of them, by the class token's attention; `fuse`: the others become one token, the sum of a_i x_i (not normalised).
ReductionPtr evitStep(Keep keep, bool fuse);

Method evitMethod();

} // namespace tamis::tokens
