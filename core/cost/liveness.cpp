// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cost/liveness.h"

#include "core/base/error.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace tamis::cost {
namespace {

void checkLife(const LiveBuffer& buffer, std::size_t steps)
{
    if (buffer.first > buffer.last || buffer.last >= steps)
        throw Error(ErrorCode::InvalidParameter,
                    "buffer lives from step " + std::to_string(buffer.first) + " to " + std::to_string(buffer.last) +
                        "; expected steps in order below " + std::to_string(steps),
                    buffer.name);
}

std::uint64_t sum(std::uint64_t a, std::uint64_t b)
{
    std::uint64_t result = 0;
    if (__builtin_add_overflow(a, b, &result))
        throw Error(ErrorCode::LimitExceeded, "activation memory does not fit in 64 bits", "memory plan");
    return result;
}

std::uint64_t roundedUp(std::uint64_t bytes, std::uint64_t alignment)
{
    const std::uint64_t rest = bytes % alignment;
    return rest == 0 ? bytes : sum(bytes, alignment - rest);
}

bool aliveTogether(const LiveBuffer& a, const LiveBuffer& b) { return a.first <= b.last && b.first <= a.last; }

} // namespace

std::vector<std::uint64_t> liveBytes(std::span<const LiveBuffer> buffers, std::size_t steps)
{
    std::vector<std::uint64_t> born(steps), gone(steps + 1);
    for (const auto& buffer : buffers) {
        checkLife(buffer, steps);
        born[buffer.first] = sum(born[buffer.first], buffer.bytes);
        gone[buffer.last + 1] = sum(gone[buffer.last + 1], buffer.bytes);
    }
    std::vector<std::uint64_t> live(steps);
    std::uint64_t now = 0;
    for (std::size_t step = 0; step < steps; ++step) {
        now = sum(now - gone[step], born[step]);
        live[step] = now;
    }
    return live;
}

Placement placeBuffers(std::span<const LiveBuffer> buffers, std::size_t steps, std::uint64_t alignment)
{
    if (alignment == 0)
        throw Error(ErrorCode::InvalidParameter, "alignment is 0; expected at least 1", "memory plan");
    std::vector<LiveBuffer> padded(buffers.begin(), buffers.end());
    for (auto& buffer : padded)
        buffer.bytes = roundedUp(buffer.bytes, alignment);
    Placement placement;
    placement.offsets.resize(padded.size());
    const auto live = liveBytes(padded, steps);
    placement.lowerBound = live.empty() ? 0 : *std::max_element(live.begin(), live.end());

    std::vector<std::size_t> order(padded.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return padded[a].bytes > padded[b].bytes; });
    std::vector<std::size_t> placed; // by offset
    for (const std::size_t index : order) {
        std::uint64_t offset = 0;
        for (const std::size_t other : placed) {
            if (!aliveTogether(padded[index], padded[other]))
                continue;
            if (placement.offsets[other] >= sum(offset, padded[index].bytes))
                break;
            offset = std::max(offset, sum(placement.offsets[other], padded[other].bytes));
        }
        placement.offsets[index] = offset;
        placement.size = std::max(placement.size, sum(offset, padded[index].bytes));
        const auto after = std::upper_bound(placed.begin(), placed.end(), offset,
                                            [&](std::uint64_t value, std::size_t other) { return value < placement.offsets[other]; });
        placed.insert(after, index);
    }
    return placement;
}

} // namespace tamis::cost
