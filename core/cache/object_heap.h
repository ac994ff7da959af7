// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The object with the least key first, keys that change: a 4-ary heap with the place of every object. Private to the lab.
#include "core/cache/object_lists.h"

#include <utility>

namespace tamis::cache {

/// Key: anything with <. Ties as the keys say: make them differ.
template <class Key> class ObjectHeap {
public:
    void know(std::size_t objects)
    {
        if (objects > m_places.size())
            m_places.resize(objects, kNoObject);
    }
    bool empty() const noexcept { return m_entries.empty(); }
    std::size_t size() const noexcept { return m_entries.size(); }
    bool contains(std::uint32_t object) const noexcept { return m_places[object] != kNoObject; }
    std::uint32_t top() const noexcept { return m_entries.front().object; }
    const Key& topKey() const noexcept { return m_entries.front().key; }
    const Key& key(std::uint32_t object) const noexcept { return m_entries[m_places[object]].key; }
    std::uint32_t at(std::size_t place) const noexcept { return m_entries[place].object; }
    void prefetch(std::uint32_t object) const noexcept { __builtin_prefetch(&m_places[object], 1); }

    /// Puts it in, or changes its key.
    void set(std::uint32_t object, const Key& key)
    {
        std::uint32_t place = m_places[object];
        if (place == kNoObject) {
            m_places[object] = static_cast<std::uint32_t>(m_entries.size());
            m_entries.push_back({key, object});
            up(m_entries.size() - 1);
            return;
        }
        const bool less = key < m_entries[place].key;
        m_entries[place].key = key;
        less ? up(place) : down(place);
    }
    /// New keys for all, from keyOf(object), in time of the order of how many they are.
    template <class KeyOf> void setAll(KeyOf&& keyOf)
    {
        for (Entry& entry : m_entries)
            entry.key = keyOf(entry.object);
        for (std::size_t at = m_entries.size() / 4 + 1; at-- > 0;)
            if (at < m_entries.size())
                down(at);
    }
    void remove(std::uint32_t object) noexcept
    {
        const std::size_t place = m_places[object];
        m_places[object] = kNoObject;
        const Entry last = m_entries.back();
        m_entries.pop_back();
        if (place == m_entries.size())
            return;
        const bool less = last.key < m_entries[place].key;
        const bool same = !less && !(m_entries[place].key < last.key);
        m_entries[place] = last;
        m_places[last.object] = static_cast<std::uint32_t>(place);
        if (!same)
            less ? up(place) : down(place);
        else
            down(place);
    }
    std::uint32_t pop() noexcept
    {
        const std::uint32_t object = top();
        remove(object);
        return object;
    }
    std::size_t bytesHeld() const noexcept { return m_entries.capacity() * sizeof(Entry) + m_places.capacity() * sizeof(std::uint32_t); }

private:
    struct Entry {
        Key key;
        std::uint32_t object;
    };
    void place(std::size_t at, const Entry& entry) noexcept
    {
        m_entries[at] = entry;
        m_places[entry.object] = static_cast<std::uint32_t>(at);
    }
    void up(std::size_t at) noexcept
    {
        const Entry moving = m_entries[at];
        while (at > 0) {
            const std::size_t parent = (at - 1) / 4;
            if (!(moving.key < m_entries[parent].key))
                break;
            place(at, m_entries[parent]);
            at = parent;
        }
        place(at, moving);
    }
    void down(std::size_t at) noexcept
    {
        const Entry moving = m_entries[at];
        for (;;) {
            const std::size_t first = 4 * at + 1;
            if (first >= m_entries.size())
                break;
            std::size_t least = first;
            for (std::size_t child = first + 1; child < first + 4 && child < m_entries.size(); ++child)
                if (m_entries[child].key < m_entries[least].key)
                    least = child;
            if (!(m_entries[least].key < moving.key))
                break;
            place(at, m_entries[least]);
            at = least;
        }
        place(at, moving);
    }
    std::vector<Entry> m_entries;
    std::vector<std::uint32_t> m_places;
};

} // namespace tamis::cache
