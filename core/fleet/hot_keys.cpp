// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/fleet/hot_keys.h"

#include <algorithm>
#include <cmath>

namespace tamis::fleet {

HotKeys::HotKeys(std::size_t objects, double share, std::uint64_t window)
    : m_window(std::max<std::uint64_t>(window, 1)), m_threshold(share > 0 ? std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(m_window)))) : 0), m_counts(objects),
      m_first(objects, kNever)
{
}

bool HotKeys::request(std::uint32_t object) noexcept
{
    const std::uint64_t now = m_requests++;
    if (m_threshold == 0)
        return false;
    const auto stretch = static_cast<std::uint32_t>(now / m_window) + 1;
    Count& count = m_counts[object];
    if (count.stretch != stretch) {
        count.stretch = stretch;
        count.count = 0;
    }
    if (++count.count >= m_threshold) {
        count.hotBefore = stretch + 2;
        if (m_first[object] == kNever)
            m_first[object] = static_cast<std::uint32_t>(std::min<std::uint64_t>(now, kNever - 1));
    }
    return stretch < count.hotBefore;
}

} // namespace tamis::fleet
