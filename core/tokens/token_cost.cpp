// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/token_cost.h"

#include "core/base/error.h"

#include <numeric>
#include <string>

namespace tamis::tokens {

std::vector<std::uint64_t> blockMacs(const nn::ModelSpec& spec, std::span<const BlockTokens> tokens)
{
    if (tokens.size() != spec.blocks.size())
        throw Error(ErrorCode::InvalidParameter, "found counts of tokens for " + std::to_string(tokens.size()) + " blocks, expected " + std::to_string(spec.blocks.size()));
    std::vector<std::uint64_t> macs;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const nn::BlockSpec& b = spec.blocks[i];
        const std::int64_t queries = b.attention.heads * b.attention.headDim, keys = b.attention.keyValueHeads * b.attention.headDim;
        const std::int64_t n = tokens[i].attention;
        const std::int64_t attention = n * b.width * (2 * queries + 2 * keys) + 2 * n * n * queries;
        const std::int64_t mlp = tokens[i].mlp * b.width * b.mlp.hidden * (b.mlp.gated ? 3 : 2);
        macs.push_back(static_cast<std::uint64_t>(attention + mlp));
    }
    return macs;
}

std::uint64_t modelMacs(const nn::ModelSpec& spec, std::span<const BlockTokens> tokens)
{
    const std::vector<std::uint64_t> blocks = blockMacs(spec, tokens);
    const nn::PatchSpec& p = spec.patch;
    const std::int64_t patches = p.gridHeight * p.gridWidth * p.channels * p.patchHeight * p.patchWidth * spec.width;
    const std::int64_t pooled = (spec.pool == nn::Pool::ClassAndMean || spec.distillationHead ? 2 : 1) * spec.blocks.back().width;
    return std::accumulate(blocks.begin(), blocks.end(), static_cast<std::uint64_t>(patches + pooled * spec.classes));
}

std::vector<BlockTokens> wholeTokens(const nn::ModelSpec& spec)
{
    const std::int64_t tokens = spec.tokens(0);
    return std::vector<BlockTokens>(spec.blocks.size(), {tokens, tokens});
}

} // namespace tamis::tokens
