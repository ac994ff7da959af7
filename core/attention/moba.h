// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Blocks whose mean key a query points to. Source: Lu et al. 2025, MoBA: Mixture of Block Attention for Long-Context LLMs (arXiv 2502.13189).
#include "core/attention/block_selector.h"
#include "core/attention/method.h"

namespace tamis::attention {

/// Score q . mean(k of the block's tokens that are seen), head by head; the query's own block always.
std::shared_ptr<const BlockSelector> mobaSelector(const nn::AttentionSpec& spec, std::int64_t blockTokens, std::int64_t blocks);
/// id attention.moba.
Method mobaMethod();

} // namespace tamis::attention
