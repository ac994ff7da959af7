// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Multiply-adds of a vision transformer whose blocks see fewer and fewer tokens.
#include "core/nn/model_spec.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::tokens {

/// Tokens in the attention and in the MLP of one block.
struct BlockTokens {
    std::int64_t attention = 0, mlp = 0;
};

/// Of every block: for heads that span the width and an MLP of 4 d, 4 N d^2 + 2 N^2 d + 8 N' d^2. Choosing tokens is not counted.
/// Throws Error{InvalidParameter} unless there are counts for every block.
std::vector<std::uint64_t> blockMacs(const nn::ModelSpec& spec, std::span<const BlockTokens> tokens);
/// With the patches and the head, as core/cost counts them.
std::uint64_t modelMacs(const nn::ModelSpec& spec, std::span<const BlockTokens> tokens);
/// All tokens in all blocks.
std::vector<BlockTokens> wholeTokens(const nn::ModelSpec& spec);

} // namespace tamis::tokens
