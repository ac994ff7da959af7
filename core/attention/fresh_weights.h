// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Weights to begin a training from nothing. Private to the lab.
#include "core/train/parameter_set.h"

#include <cstdint>

namespace tamis::attention {

/// In place of what is there: matrices Gaussian of deviation 1 / sqrt(inputs), tables of embeddings (tokens, positions, class tokens) 0.02, biases 0, other vectors (norms,
/// scales) 1. The numbers depend on the seed and on each tensor's name and shape alone, not on what was there.
void drawFreshWeights(train::ParameterSet<float>& parameters, std::uint64_t seed);

} // namespace tamis::attention
