// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Slots of a cache that holds so many; the one that was used longest ago is given away.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tamis::reuse {

/// Slots 0 .. capacity - 1 in a ring by the time of their last use. Constant time.
class RecentEntries {
public:
    explicit RecentEntries(std::size_t capacity) : m_before(capacity), m_after(capacity), m_capacity(capacity) {}
    std::size_t size() const noexcept { return m_size; }
    std::size_t capacity() const noexcept { return m_capacity; }
    /// A slot for a new entry, used now: an unused one while there are some, else the oldest.
    std::size_t take()
    {
        if (m_size < m_capacity) {
            const std::size_t slot = m_size++;
            link(slot);
            return slot;
        }
        const std::size_t slot = m_before[m_newest]; // the ring's oldest stands before the newest
        m_newest = slot;
        return slot;
    }
    void use(std::size_t slot)
    {
        if (slot == m_newest)
            return;
        m_after[m_before[slot]] = m_after[slot];
        m_before[m_after[slot]] = m_before[slot];
        insert(slot);
    }
    void clear() noexcept { m_size = 0; }

private:
    /// Ring: after the newest stands the next older one.
    void link(std::size_t slot)
    {
        if (m_size == 1)
            m_before[slot] = m_after[slot] = m_newest = slot;
        else
            insert(slot);
    }
    void insert(std::size_t slot)
    {
        m_after[slot] = m_newest;
        m_before[slot] = m_before[m_newest];
        m_after[m_before[m_newest]] = slot;
        m_before[m_newest] = slot;
        m_newest = slot;
    }
    std::vector<std::size_t> m_before, m_after;
    std::size_t m_capacity, m_size = 0, m_newest = 0;
};

} // namespace tamis::reuse
