// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Scratch memory of attention as the attention lab counts it: of one worker, beside queries, keys, values and the output.
#include "core/nn/model.h"

#include <cstdint>

namespace tamis::attention {

/// What the operator says of itself. Exact attention takes its buffers from the thread, not from its caller's scratch, and says nothing: here it
/// is what its kernel, tiledAttention() with its own tiles, needs.
std::uint64_t scratchFloats(const nn::AttentionOp& op, std::int64_t tokens);
/// Of the block that needs most: blocks run one after the other.
std::uint64_t scratchBytes(const nn::Model& model, std::int64_t tokens);

} // namespace tamis::attention
