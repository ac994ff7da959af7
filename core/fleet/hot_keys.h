// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which objects are asked for so often that one device is too few.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tamis::fleet {

/// Counts in stretches of `window` requests. An object is hot from the request on that is its ceil(share x window)-th in a stretch, until a whole
/// stretch goes by in which it does not get there. 12 bytes an object.
class HotKeys {
public:
    HotKeys(std::size_t objects, double share, std::uint64_t window); ///< share 0: none ever is
    /// Counts a request of the object; true: it is hot.
    bool request(std::uint32_t object) noexcept;
    /// [objects] the request, counted from 0, at which it first was; kNever: never.
    const std::vector<std::uint32_t>& firstHot() const noexcept { return m_first; }
    static constexpr std::uint32_t kNever = 0xFFFFFFFFU;

private:
    struct Count {
        std::uint32_t stretch = 0, count = 0, hotBefore = 0; ///< hot in stretches below hotBefore
    };
    std::uint64_t m_window, m_threshold, m_requests = 0;
    std::vector<Count> m_counts;
    std::vector<std::uint32_t> m_first;
};

} // namespace tamis::fleet
