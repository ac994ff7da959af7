// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which activations are in memory when: every buffer lives from the step that first writes it to the step that last
// touches it. The most that is alive at once bounds the memory of a forward pass from below, whoever places the buffers.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tamis::cost {

/// An activation and the steps [first, last] (both included) during which it is needed.
struct LiveBuffer {
    std::string name;
    std::uint64_t bytes = 0;
    std::size_t first = 0, last = 0;
};

/// Bytes alive at each of `steps` steps. Throws Error{InvalidParameter} for first > last or last >= steps,
/// Error{LimitExceeded} when a sum does not fit 64 bits.
std::vector<std::uint64_t> liveBytes(std::span<const LiveBuffer> buffers, std::size_t steps);

/// A place in one block of memory for every buffer such that no two that are alive at once overlap.
struct Placement {
    std::vector<std::uint64_t> offsets; ///< [buffers], multiples of the alignment
    std::uint64_t size = 0;             ///< of the block
    std::uint64_t lowerBound = 0;       ///< the most alive at once, each buffer rounded up to the alignment
};

/// Greedy by size: the largest buffer first, each at the lowest offset that is free for its whole life. Optimal placement
/// is NP-hard (dynamic storage allocation); `lowerBound` tells how far off this one can be. `alignment` is at least 1.
Placement placeBuffers(std::span<const LiveBuffer> buffers, std::size_t steps, std::uint64_t alignment = 64);

} // namespace tamis::cost
