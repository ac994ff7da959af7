// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/encoder/method.h"
#include "core/encoder/tiling.h"

namespace tamis::encoder {

/// encoder.tiled-trained: block-diagonal rows, whole or of low rank, trained on exact codes; docs/methods/encoder.tiled-trained.md.
Method tiledTrainedMethod();

/// The tiling that `parameters` of encoder.tiled-trained ask for; permutation=learned trains one for assignment-steps steps.
Tiling trainedTiling(const Inputs& inputs, const Parameters& parameters, std::vector<std::string>& warnings, const RunContext& context);

} // namespace tamis::encoder
