// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/scratch_bytes.h"

#include "core/kernels/tiled_attention.h"

#include <algorithm>

namespace tamis::attention {

std::uint64_t scratchFloats(const nn::AttentionOp& op, std::int64_t tokens)
{
    if (op.kind() != "exact")
        return op.cost(tokens).liveFloats;
    return kernels::tiledAttentionFloats({.heads = op.heads(), .keyValueHeads = op.heads(), .headDim = op.headDim()}, {}, tokens, tokens);
}

std::uint64_t scratchBytes(const nn::Model& model, std::int64_t tokens)
{
    std::uint64_t most = 0;
    for (const nn::Block& block : model.blocks())
        most = std::max(most, sizeof(float) * scratchFloats(*block.attention, tokens));
    return most;
}

} // namespace tamis::attention
