// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which tokens are alike enough to merge: two halves or all pairs, what may not be paired, and who is paired with whom.
#include "core/tokens/reduction.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::tokens {

/// All tokens, each in one half, in ascending order.
struct Halves {
    std::vector<std::int32_t> first, second;
};
/// ToMe's: even tokens, odd tokens.
Halves alternateHalves(std::int64_t tokens);
/// The patches in an order drawn for the image, the block and the seed: the first half of them, rounded up, and the prefix; the others.
Halves randomHalves(const Look& look, std::uint64_t seed);

/// Cosines of keys averaged over the heads, [rows.size(), columns.size()], into `similarity`.
void keyCosines(const Look& look, std::span<const std::int32_t> rows, std::span<const std::int32_t> columns, kernels::Rows similarity);

// What is not to be paired becomes -infinity. Row i of a similarity is token rows[i], column j token columns[j].

/// Protected tokens.
void forbidProtected(std::span<const std::uint8_t> isProtected, std::span<const std::int32_t> rows, std::span<const std::int32_t> columns, kernels::Rows similarity);
/// Tokens whose mean source positions on the grid lie more than `radius` patches apart. 0: none.
void forbidDistant(const TokenSet& set, double radius, std::span<const std::int32_t> rows, std::span<const std::int32_t> columns, kernels::Rows similarity);
/// All columns but those among a row's `neighbours` most similar of all tokens, protected ones and itself left out; `mutual`: and it among theirs.
void forbidBeyondNeighbours(const Look& look, std::span<const std::uint8_t> isProtected, std::int64_t neighbours, bool mutual, const Halves& halves, kernels::Rows similarity);
/// All columns but those in a row's bucket in one at least of `tables`: those on the same side of `hyperplanes` random ones each, through the mean
/// of the keys. 0 hyperplanes: one bucket.
void forbidOtherBuckets(const Look& look, int hyperplanes, int tables, std::uint64_t seed, const Halves& halves, kernels::Rows similarity);

/// A token and the one that it is merged into, or would be.
struct Edge {
    std::int32_t first = 0, second = 0; ///< tokens
    float similarity = 0;               ///< -infinity: there is none
};
/// One edge for every token of the first half, to the most similar one of the second (of equal ones the first).
std::vector<Edge> bestPartners(const Halves& halves, kernels::ConstRows similarity);
/// One edge for every token of the first half, to no token twice: of `pairs` pairs, or as many as there can be, the largest sum of similarities.
std::vector<Edge> optimalPartners(const Halves& halves, kernels::ConstRows similarity, std::int64_t pairs, const RunContext& context);
/// The most similar pair of all, then the most similar one of what is left: `pairs` at most, no token twice. Of equal ones the one of the smallest
/// row, then column. Reads what is right of the diagonal of `similarity` [n, n]; edges are rows and columns, each from the later to the earlier.
std::vector<Edge> greedyPairs(kernels::ConstRows similarity, std::int64_t pairs, const RunContext& context);

/// The `r` most similar edges merged, fewer where fewer have a partner. Rows afterwards: the prefix, what is left of the first half (in its order
/// where there is a prefix, else by falling similarity), the second half. Without scores.
Assignment mergeHalves(const Halves& halves, std::vector<Edge> edges, std::int64_t tokens, std::int64_t prefix, std::int64_t r);

} // namespace tamis::tokens
