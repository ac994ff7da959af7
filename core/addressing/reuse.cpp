// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/reuse.h"

#include "core/base/error.h"
#include "core/base/recency_order.h"
#include "core/base/split_mix.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace tamis::addressing {
namespace {
void requireRows(std::int64_t rows)
{
    if (rows < 1)
        throw Error(ErrorCode::InvalidParameter, "found a cache of " + std::to_string(rows) + " rows, expected at least 1", "rows");
}

double share(std::size_t hits, std::size_t of) { return of == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(of); }

constexpr std::size_t kKeysBetweenStops = 16384;
} // namespace

std::vector<std::int64_t> reuseDistances(std::span<const std::int32_t> keys, const RunContext& context)
{
    std::unordered_map<std::int32_t, std::uint32_t> numbers; // of keys, in the order of their first request
    std::vector<std::uint32_t> objects(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (i % kKeysBetweenStops == 0)
            context.throwIfStopped();
        objects[i] = numbers.try_emplace(keys[i], static_cast<std::uint32_t>(numbers.size())).first->second;
    }
    RecencyOrder order(numbers.size());
    std::vector<std::int64_t> distances(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (i % kKeysBetweenStops == 0)
            context.throwIfStopped();
        distances[i] = order.touch(objects[i]);
    }
    return distances;
}

double leastRecentlyUsedHits(std::span<const std::int64_t> distances, std::int64_t rows)
{
    requireRows(rows);
    return share(static_cast<std::size_t>(std::ranges::count_if(distances, [&](std::int64_t d) { return d >= 0 && d < rows; })), distances.size());
}

double directMappedHits(std::span<const std::int32_t> keys, std::int64_t rows, const RunContext& context)
{
    requireRows(rows);
    std::unordered_map<std::uint64_t, std::int32_t> places;
    std::size_t hits = 0;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (i % kKeysBetweenStops == 0)
            context.throwIfStopped();
        const std::int32_t key = keys[i];
        const std::uint64_t place = mixedBits(static_cast<std::uint32_t>(key)) % static_cast<std::uint64_t>(rows);
        const auto [found, empty] = places.try_emplace(place, key);
        hits += !empty && found->second == key;
        found->second = key;
    }
    return share(hits, keys.size());
}

double staticHotHits(std::span<const std::int32_t> before, std::span<const std::int32_t> keys, std::int64_t rows, const RunContext& context)
{
    requireRows(rows);
    std::unordered_map<std::int32_t, std::int64_t> counts;
    for (std::size_t i = 0; i < before.size(); ++i) {
        if (i % kKeysBetweenStops == 0)
            context.throwIfStopped();
        ++counts[before[i]];
    }
    std::vector<std::pair<std::int64_t, std::int32_t>> ordered; // most first, then lowest
    for (const auto& [key, count] : counts)
        ordered.emplace_back(-count, key);
    std::ranges::sort(ordered);
    ordered.resize(std::min(ordered.size(), static_cast<std::size_t>(rows)));
    std::unordered_set<std::int32_t> held;
    for (const auto& [count, key] : ordered)
        held.insert(key);
    std::size_t hits = 0;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (i % kKeysBetweenStops == 0)
            context.throwIfStopped();
        hits += held.contains(keys[i]);
    }
    return share(hits, keys.size());
}

double uniqueRatio(std::span<const std::int32_t> keys, std::size_t window)
{
    if (window == 0)
        throw Error(ErrorCode::InvalidParameter, "found a window of no keys, expected at least 1", "window");
    double sum = 0;
    std::size_t windows = 0;
    for (std::size_t first = 0; first < keys.size(); first += window, ++windows) {
        const auto piece = keys.subspan(first, std::min(window, keys.size() - first));
        sum += share(std::unordered_set<std::int32_t>(piece.begin(), piece.end()).size(), piece.size());
    }
    return windows == 0 ? 0 : sum / static_cast<double>(windows);
}

} // namespace tamis::addressing
