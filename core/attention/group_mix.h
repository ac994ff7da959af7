// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Exact attention in groups: queries that attend to the same keys are computed together, and nothing else is. What windows and block patterns come
// down to. Private to the lab.
#include "core/attention/head_rule.h"
#include "core/attention/tape_assignment.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace tamis::attention {

constexpr std::int64_t kGroupTile = 64; ///< queries of a group at once

/// Places in the sequence, ascending. Every query is among its keys.
struct TokenGroup {
    std::vector<std::int32_t> queries, keys;
};
/// Tells `each` the groups of a sequence of so many tokens, each query in one of them, one after the other: lists of all pairs, of which there may be tokens^2, are
/// never there at once. May throw, and what `each` throws goes through.
using GroupsOf = std::function<void(std::int64_t tokens, const std::function<void(const TokenGroup&)>& each)>;

/// out = softmax over each group's keys; causal masks and a sliding window hold besides, and keys behind the last query of a tile are not computed.
void mixByGroups(const HeadShape& shape, std::span<const TokenGroup> groups, kernels::ConstRows q, kernels::ConstRows k, kernels::ConstRows v, kernels::Rows out, nn::Scratch& scratch);
/// Pairs of a query and a key that mixByGroups computes.
std::uint64_t pairsOf(std::span<const TokenGroup> groups, bool causal) noexcept;
/// Floats that it takes for the largest of them, its places counted as floats, for heads of `dim` features and `width` values.
std::uint64_t groupFloats(std::span<const TokenGroup> groups, bool causal, std::int64_t dim, std::int64_t width) noexcept;

/// A rule of groups that the number of tokens decides. `tokens`: of the sequences that it is made for, if there is only one such number (a grid's), else 0;
/// costs of other numbers then are in proportion. Groups are made anew by every call, and counted once for every number of tokens.
HeadRulePtr groupedRule(std::string kind, GroupsOf groups, std::int64_t tokens);
/// Whether some group has the query and the key.
Visible visibleIn(GroupsOf groups);

} // namespace tamis::attention
