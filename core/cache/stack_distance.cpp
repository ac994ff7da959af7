// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/stack_distance.h"

#include "core/base/error.h"

#include <algorithm>
#include <numeric>
#include <string>

namespace tamis::cache {
namespace {
/// Sums over prefixes of places that are taken or not (Fenwick 1994).
class TakenPlaces {
public:
    explicit TakenPlaces(std::size_t places) : m_sums(places + 1, 0) {}
    void add(std::size_t place, std::int32_t change) noexcept
    {
        for (std::size_t i = place + 1; i < m_sums.size(); i += i & (~i + 1))
            m_sums[i] += change;
    }
    std::int32_t before(std::size_t place) const noexcept
    {
        std::int32_t sum = 0;
        for (std::size_t i = place; i > 0; i &= i - 1)
            sum += m_sums[i];
        return sum;
    }
    /// The first `taken` places are, the others are not.
    void reset(std::size_t taken) noexcept
    {
        std::ranges::fill(m_sums, 0);
        for (std::size_t i = 1; i < m_sums.size(); ++i) {
            m_sums[i] += i <= taken ? 1 : 0;
            if (const std::size_t parent = i + (i & (~i + 1)); parent < m_sums.size())
                m_sums[parent] += m_sums[i];
        }
    }

private:
    std::vector<std::int32_t> m_sums;
};
constexpr std::uint32_t kNowhere = 0xFFFFFFFFU;
} // namespace

std::uint64_t StackDistances::hits(std::uint64_t objects) const noexcept
{
    const auto end = counts.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(objects, counts.size()));
    return std::accumulate(counts.begin(), end, std::uint64_t{0});
}

StackDistances stackDistances(std::span<const std::uint32_t> objects, std::size_t objectCount, std::uint64_t warmUp, const RunContext& context)
{
    // Places are given out in the order of requests; when they run out those that are taken move down to the front, in order.
    const std::size_t places = std::max<std::size_t>(4 * objectCount, 1024);
    if (places >= kNowhere)
        throw Error(ErrorCode::LimitExceeded, "found " + std::to_string(objectCount) + " objects, expected fewer than 1,073,741,824 for one pass", "stack distances");
    TakenPlaces taken(places);
    std::vector<std::uint32_t> placeOf(objectCount, kNowhere), objectAt(places, kNowhere);
    StackDistances distances;
    distances.counts.assign(objectCount, 0);
    std::size_t next = 0, held = 0;
    for (std::size_t i = 0; i < objects.size(); ++i) {
        if (i % 16384 == 0) {
            context.throwIfStopped();
            context.setFraction(static_cast<double>(i) / static_cast<double>(objects.size()));
        }
        if (next == places) {
            next = 0;
            for (std::size_t place = 0; place < places; ++place)
                if (const std::uint32_t object = objectAt[place]; object != kNowhere) {
                    objectAt[place] = kNowhere;
                    objectAt[next] = object;
                    placeOf[object] = static_cast<std::uint32_t>(next++);
                }
            taken.reset(next);
        }
        const std::uint32_t object = objects[i], place = placeOf[object];
        const bool counted = i >= warmUp;
        distances.requests += counted ? 1U : 0U;
        if (place == kNowhere) {
            distances.first += counted ? 1U : 0U;
            ++held;
        } else {
            const auto distance = held - static_cast<std::size_t>(taken.before(place));
            distances.counts[distance - 1] += counted ? 1U : 0U;
            taken.add(place, -1);
            objectAt[place] = kNowhere;
        }
        placeOf[object] = static_cast<std::uint32_t>(next);
        objectAt[next] = object;
        taken.add(next++, 1);
    }
    return distances;
}

} // namespace tamis::cache
