// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/stack_distance.h"

#include "core/base/recency_order.h"

#include <algorithm>
#include <numeric>

namespace tamis::cache {

std::uint64_t StackDistances::hits(std::uint64_t objects) const noexcept
{
    const auto end = counts.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(objects, counts.size()));
    return std::accumulate(counts.begin(), end, std::uint64_t{0});
}

StackDistances stackDistances(std::span<const std::uint32_t> objects, std::size_t objectCount, std::uint64_t warmUp, const RunContext& context)
{
    RecencyOrder order(objectCount);
    StackDistances distances;
    distances.counts.assign(objectCount, 0);
    for (std::size_t i = 0; i < objects.size(); ++i) {
        if (i % 16384 == 0) {
            context.throwIfStopped();
            context.setFraction(static_cast<double>(i) / static_cast<double>(objects.size()));
        }
        const std::int64_t since = order.touch(objects[i]);
        if (i < warmUp)
            continue;
        ++distances.requests;
        if (since == RecencyOrder::kNever)
            ++distances.first;
        else
            ++distances.counts[static_cast<std::size_t>(since)];
    }
    return distances;
}

} // namespace tamis::cache
