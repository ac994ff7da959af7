// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which blocks of keys a query reads: the largest scores, and some whatever their score. And native sparse attention's scores of blocks, from the
// probabilities of compressed keys. Private to the lab.
#include <cstdint>
#include <span>
#include <vector>

namespace tamis::attention {

/// Blocks that are read whatever their score. They count among those that are chosen.
struct ForcedBlocks {
    std::int64_t initial = 0; ///< the first of the sequence
    std::int64_t local = 1;   ///< the query's own and those next to it: before it; not causal: before and behind in turn
};

/// Of blocks [0, scores.size()) that a query may see, `own` its own: the forced ones and, up to `most` in all, those of the largest scores; of
/// equal ones the first. What is not a number comes last. `chosen` is ascending. As many or fewer blocks than `most`: all.
void chooseBlocks(std::span<const float> scores, std::int64_t own, bool causal, const ForcedBlocks& forced, std::int64_t most, std::vector<std::int64_t>& chosen);

/// How compressed block c (tokens c stride .. c stride + compressed - 1) counts for selected block j (tokens j selected .. (j + 1) selected - 1).
/// With a = selected / stride and b = compressed / stride, p outside its range being 0:
enum class Overlap {
    Geometric, ///< sum_c p[c] |tokens in both| / stride = sum_{m < a} sum_{n < b} p[a j + m - n]
    Minus,     ///< sum_{m < a} sum_{n < b} p[a j - m - n]: the index as some read it in the paper
    Plus       ///< sum_{m < a} sum_{n < b} p[a j + m + n]: the index of early implementations
};
struct BlockSizes {
    std::int64_t compressed = 32, stride = 16, selected = 64; ///< stride divides both
};
/// importance[j] for all j < importance.size(), from p [compressed blocks].
void blockImportance(const BlockSizes& sizes, Overlap overlap, std::span<const float> p, std::span<float> importance);

} // namespace tamis::attention
