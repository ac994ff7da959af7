// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Exact attention over all tokens with a bias for every pair, by displacement on the patch grid (BEiT: Bao et al. 2022, arXiv 2106.08254). In a BlockSpec:
// a window as large as the grid in a block without a grid of its own (gridHeight 0), for the class token takes part.
#include "core/nn/attention_op.h"
#include "core/nn/model_spec.h"

#include <cstdint>
#include <span>

namespace tamis::nn {

/// The bias of every pair of tokens of the block is relative; false for Swin's windows.
inline bool hasRelativeBias(const BlockSpec& block) noexcept { return block.attention.window > 0 && block.gridHeight == 0; }

/// What an operator below says of itself, for any number of tokens; `parameters` of the table.
AttentionCost relativeCost(const AttentionSpec& spec, std::int64_t tokens, std::uint64_t parameters) noexcept;

/// A class token and a grid of spec.window x spec.windowColumns() patches. `biasTable` [(2 rows - 1)(2 columns - 1) + 3, heads] as in the checkpoints: by
/// displacement of the query from the key, row by row; then class token to patch, patch to class token, class token to itself. `parameters`: what
/// cost() says, less than the table's where others share it. Its apply and map throw Error{InvalidParameter} for another number of tokens.
AttentionPtr relativeAttention(const AttentionSpec& spec, tensor::MatrixView<const float> biasTable, std::uint64_t parameters);

/// The same for tokens that hold source tokens: heldBy [1 + patches] is the token of each, -1 none. The bias of two tokens is the mean over the pairs
/// of their sources; single ones keep their numbers. Null where `attention` has no relative bias. Throws Error{InvalidParameter} for a list of
/// another length, a token beyond `tokens`, or one without a source.
AttentionPtr relativeOver(const AttentionOp& attention, std::span<const std::int32_t> heldBy, std::int64_t tokens);

} // namespace tamis::nn
