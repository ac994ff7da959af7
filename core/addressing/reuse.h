// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a trace of keys (tokens, experts) lets a cache of rows save.
#include "core/base/run_context.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::addressing {

/// [keys]: different keys since the same one was last asked for; -1: it never was. A cache of c rows that drops the least recently used hits
/// exactly where 0 <= distance < c (Mattson et al. 1970). O(n log n). Throws Error{Cancelled} as
/// all here that take a context, and as RecencyOrder.
std::vector<std::int64_t> reuseDistances(std::span<const std::int32_t> keys, const RunContext& context = {});

/// Share of the asked rows that a cache of `rows` rows holds, cold at first. Throws Error{InvalidParameter} for fewer than 1 row. No key: 0.
double leastRecentlyUsedHits(std::span<const std::int64_t> distances, std::int64_t rows);
/// Key k has one place, mixedBits(k) mod rows, and drives out what is there.
double directMappedHits(std::span<const std::int32_t> keys, std::int64_t rows, const RunContext& context = {});
/// Rows that are never exchanged: the most frequent of `before` (of equal ones the lowest), which must be another trace than `keys` for an honest figure.
double staticHotHits(std::span<const std::int32_t> before, std::span<const std::int32_t> keys, std::int64_t rows, const RunContext& context = {});

/// Mean over windows of `window` keys (the last may be shorter) of different keys over keys; 0 without keys.
double uniqueRatio(std::span<const std::int32_t> keys, std::size_t window);

} // namespace tamis::addressing
