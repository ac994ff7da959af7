// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/reuse.h"

#include "core/base/error.h"
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

/// Sums of prefixes under changes (Fenwick 1994).
class PrefixSums {
public:
    explicit PrefixSums(std::size_t size) : m_sums(size + 1) {}
    void add(std::size_t at, std::int64_t value)
    {
        for (std::size_t i = at + 1; i < m_sums.size(); i += i & (~i + 1))
            m_sums[i] += value;
    }
    std::int64_t before(std::size_t end) const
    {
        std::int64_t sum = 0;
        for (std::size_t i = end; i > 0; i -= i & (~i + 1))
            sum += m_sums[i];
        return sum;
    }

private:
    std::vector<std::int64_t> m_sums;
};
} // namespace

std::vector<std::int64_t> reuseDistances(std::span<const std::int32_t> keys)
{
    std::vector<std::int64_t> distances(keys.size(), -1);
    std::unordered_map<std::int32_t, std::size_t> last;
    PrefixSums newest(keys.size()); // 1 where a key was asked for the last time so far
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto [found, first] = last.try_emplace(keys[i], i);
        if (!first) {
            distances[i] = newest.before(i) - newest.before(found->second + 1);
            newest.add(found->second, -1);
            found->second = i;
        }
        newest.add(i, 1);
    }
    return distances;
}

double leastRecentlyUsedHits(std::span<const std::int64_t> distances, std::int64_t rows)
{
    requireRows(rows);
    return share(static_cast<std::size_t>(std::ranges::count_if(distances, [&](std::int64_t d) { return d >= 0 && d < rows; })), distances.size());
}

double directMappedHits(std::span<const std::int32_t> keys, std::int64_t rows)
{
    requireRows(rows);
    std::unordered_map<std::uint64_t, std::int32_t> places;
    std::size_t hits = 0;
    for (const std::int32_t key : keys) {
        const std::uint64_t place = mixedBits(static_cast<std::uint32_t>(key)) % static_cast<std::uint64_t>(rows);
        const auto [found, empty] = places.try_emplace(place, key);
        hits += !empty && found->second == key;
        found->second = key;
    }
    return share(hits, keys.size());
}

double staticHotHits(std::span<const std::int32_t> before, std::span<const std::int32_t> keys, std::int64_t rows)
{
    requireRows(rows);
    std::unordered_map<std::int32_t, std::int64_t> counts;
    for (const std::int32_t key : before)
        ++counts[key];
    std::vector<std::pair<std::int64_t, std::int32_t>> ordered; // most first, then lowest
    for (const auto& [key, count] : counts)
        ordered.emplace_back(-count, key);
    std::ranges::sort(ordered);
    ordered.resize(std::min(ordered.size(), static_cast<std::size_t>(rows)));
    std::unordered_set<std::int32_t> held;
    for (const auto& [count, key] : ordered)
        held.insert(key);
    return share(static_cast<std::size_t>(std::ranges::count_if(keys, [&](std::int32_t key) { return held.contains(key); })), keys.size());
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
