// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Chen et al. 2023, "DiffRate: Differentiable Compression Rate for Efficient Vision Transformers": pruning, then merging, counts by block.
#include "core/tokens/method.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tamis::tokens {

/// Tokens, prefix included, that each block keeps when it prunes and then when it merges.
struct BlockCounts {
    std::vector<std::int64_t> pruned, merged; ///< [blocks]
};

/// A JSON file: an object with prune_kept_num and merge_kept_num, lists or texts of lists, under the keys of `entry` ("ViT-S-DeiT/2.9"; empty: at
/// the top). Throws Error{MalformedFile, LimitExceeded, IoFailure}, Error{InvalidParameter} for an entry that is not there (it lists those that
/// are).
BlockCounts readBlockCounts(const std::filesystem::path& file, const std::string& entry);

/// Prunes to `pruned` tokens by class attention, then merges the least important into the most alike of the others, to `merged`.
ReductionPtr pruneAndMerge(std::int64_t pruned, std::int64_t merged);

Method diffRateMethod();

} // namespace tamis::tokens
