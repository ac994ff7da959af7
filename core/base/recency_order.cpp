// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/recency_order.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"

#include <algorithm>
#include <string>

namespace tamis {
namespace {
constexpr std::uint32_t kNowhere = 0xFFFFFFFFU;
constexpr std::size_t kPlacesAnObject = 4, kLeastPlaces = 1024;
} // namespace

RecencyOrder::RecencyOrder(std::size_t objects)
{
    // Places are given out in the order of touches; when they run out those that are taken move down to the front, in order.
    if (objects >= kNowhere / kPlacesAnObject)
        throw Error(ErrorCode::LimitExceeded, "found " + std::to_string(objects) + " objects, expected fewer than 1,073,741,824 for one pass", "stack distances");
    const std::size_t places = std::max(kPlacesAnObject * objects, kLeastPlaces);
    requireMemory(places * (sizeof(std::int32_t) + sizeof(std::uint32_t)) + objects * sizeof(std::uint32_t), "the order of recency of " + std::to_string(objects) + " objects");
    m_sums.assign(places + 1, 0);
    m_placeOf.assign(objects, kNowhere);
    m_objectAt.assign(places, kNowhere);
}

void RecencyOrder::add(std::size_t place, std::int32_t change) noexcept
{
    for (std::size_t i = place + 1; i < m_sums.size(); i += i & (~i + 1))
        m_sums[i] += change;
}

std::int32_t RecencyOrder::takenBefore(std::size_t place) const noexcept
{
    std::int32_t sum = 0;
    for (std::size_t i = place; i > 0; i &= i - 1)
        sum += m_sums[i];
    return sum;
}

void RecencyOrder::pack() noexcept
{
    m_next = 0;
    for (std::size_t place = 0; place < m_objectAt.size(); ++place)
        if (const std::uint32_t object = m_objectAt[place]; object != kNowhere) {
            m_objectAt[place] = kNowhere;
            m_objectAt[m_next] = object;
            m_placeOf[object] = static_cast<std::uint32_t>(m_next++);
        }
    std::ranges::fill(m_sums, 0);
    for (std::size_t i = 1; i < m_sums.size(); ++i) {
        m_sums[i] += i <= m_next ? 1 : 0;
        if (const std::size_t parent = i + (i & (~i + 1)); parent < m_sums.size())
            m_sums[parent] += m_sums[i];
    }
}

std::int64_t RecencyOrder::touch(std::uint32_t object) noexcept
{
    if (m_next == m_objectAt.size())
        pack();
    std::int64_t since = kNever;
    if (const std::uint32_t place = m_placeOf[object]; place == kNowhere) {
        ++m_held;
    } else {
        since = static_cast<std::int64_t>(m_held) - takenBefore(place) - 1;
        add(place, -1);
        m_objectAt[place] = kNowhere;
    }
    m_placeOf[object] = static_cast<std::uint32_t>(m_next);
    m_objectAt[m_next] = object;
    add(m_next++, 1);
    return since;
}

} // namespace tamis
