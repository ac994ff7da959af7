// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A frame computed whole, as every method starts with one.
#include "core/base/parameter_schema.h"
#include "core/reuse/method.h"

namespace tamis::reuse {

/// The share of patches beyond which a frame is computed whole, as every method declares it.
ParameterSpec wholeAboveParameter();

/// All patches reused, nothing counted.
void beginAnswer(const TokenModel& model, FrameAnswer& answer);

/// x [tokens, width], embedded, through all blocks; it is overwritten. Counts everything behind the embedding.
void runWhole(const TokenModel& model, kernels::Rows x, TokenState& state, FrameAnswer& answer, nn::Scratch& scratch);

} // namespace tamis::reuse
