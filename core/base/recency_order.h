// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// How many different objects came since the same one was last asked for: what a cache of least recently used objects of one size holds.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tamis {

/// Objects in the order of their last touch (Mattson, Gecsei, Slutz, Traiger 1970), by sums over places that are taken or not (Fenwick 1994): O(log objects) a touch,
/// 8 bytes an object and 8 a place, of which there are four an object. Not thread-safe.
class RecencyOrder {
public:
    static constexpr std::int64_t kNever = -1;
    /// Objects are 0 .. objects - 1. Throws Error{LimitExceeded} for 1,073,741,824 or more, OutOfMemory.
    explicit RecencyOrder(std::size_t objects);

    /// Different objects that were touched since this one; kNever: it was not touched yet. `object` becomes the most recent.
    std::int64_t touch(std::uint32_t object) noexcept;

private:
    void pack() noexcept;
    void add(std::size_t place, std::int32_t change) noexcept;
    std::int32_t takenBefore(std::size_t place) const noexcept;
    std::vector<std::int32_t> m_sums;      ///< [places + 1]
    std::vector<std::uint32_t> m_placeOf;  ///< [objects]
    std::vector<std::uint32_t> m_objectAt; ///< [places]
    std::size_t m_next = 0, m_held = 0;
};

} // namespace tamis
