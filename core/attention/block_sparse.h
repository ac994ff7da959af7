// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Exact attention to chosen blocks of keys by a pattern that the tokens' places decide. Sources: Zaheer et al. 2020, BigBird (local, global and random blocks);
// Child et al. 2019, Sparse Transformers (strided).
#include "core/attention/group_mix.h"
#include "core/attention/token_windows.h"

#include <cstdint>
#include <string>

namespace tamis::attention {

/// Of blocks of tokens behind the prefix. A block always sees itself; causal: earlier blocks alone.
struct BlockPattern {
    std::int64_t local = 0;   ///< blocks to either side
    std::int64_t global = 0;  ///< the first so many see all blocks and are seen by all
    std::int64_t random = 0;  ///< more, drawn for each block from those that it does not see yet
    std::int64_t strided = 0; ///< every so many-th block before and behind; 0: none
};
/// "local:1,global:1,random:2", in any order, each once at most; "all" alone: every block. Throws Error{InvalidParameter}.
BlockPattern blockPattern(const std::string& text);

/// `blockTokens` tokens a block, the last one shorter; the prefix sees all and is seen by all.
GroupsOf blockSparseGroups(const TokenGrid& grid, std::int64_t blockTokens, const BlockPattern& pattern, bool causal, std::uint64_t seed);
/// id attention.block-sparse.
Method blockSparseMethod();

} // namespace tamis::attention
