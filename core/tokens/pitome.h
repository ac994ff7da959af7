// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Tran et al. 2024, "Accelerating Transformers with Spectrum-Preserving Token Merging" (PiToMe): tokens with many like them merge first.
#include "core/tokens/method.h"

namespace tamis::tokens {

/// Merges floor(patches (1 - keep)) patches, half of those there are at most.
ReductionPtr energyMergeStep(double keep, double margin);

Method pitomeMethod();

} // namespace tamis::tokens
