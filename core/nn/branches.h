// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The branches of a block one by one, for labs that leave some out.
#include "core/nn/model.h"

namespace tamis::nn {

/// x += factor * attention(norm(x)) and x += factor * mlp(norm(x)), in place; LayerScale included. Both at factor 1, one after the other, give the bits of
/// Model::runBlock. A block without an MLP leaves x as it is. Throw Error{UnsupportedFeature} for blocks that norm behind their branches, blocks over a
/// grid (Swin) and rotary positions; Error{Cancelled}.
void runAttentionBranch(const Block& block, kernels::Rows x, Scratch& scratch, float factor = 1);
void runMlpBranch(const Block& block, kernels::Rows x, Scratch& scratch, float factor = 1);

} // namespace tamis::nn
