// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/remote/feature_journal.h"

namespace tamis::remote {

void FeatureJournal::erase(Entries& from, Entries::iterator entry)
{
    m_bytes -= sizeOf(*entry);
    if (entry->waiting)
        m_waitingBytes -= sizeOf(*entry);
    m_places.erase(entry->key);
    from.erase(entry);
}

void FeatureJournal::remove(const std::string& key)
{
    if (const auto place = m_places.find(key); place != m_places.end())
        erase(place->second->waiting ? m_waiting : m_held, place->second);
}

FeatureJournal::Dropped FeatureJournal::add(const std::string& key, Value value)
{
    remove(key);
    Dropped dropped;
    const std::uint64_t size = key.size() + value->size();
    if (size > m_mostBytes)
        return {1, size};
    while (m_bytes + size > m_mostBytes) {
        Entries& from = m_held.empty() ? m_waiting : m_held;
        if (m_held.empty()) {
            ++dropped.values;
            dropped.bytes += sizeOf(from.front());
        }
        erase(from, from.begin());
    }
    m_waiting.push_back({key, std::move(value), true});
    m_places[key] = std::prev(m_waiting.end());
    m_bytes += size;
    m_waitingBytes += size;
    return dropped;
}

void FeatureJournal::hold(const std::string& key, Value value)
{
    remove(key);
    const std::uint64_t size = key.size() + value->size();
    if (m_waitingBytes + size > m_mostBytes)
        return;
    while (m_bytes + size > m_mostBytes)
        erase(m_held, m_held.begin());
    m_held.push_back({key, std::move(value), false});
    m_places[key] = std::prev(m_held.end());
    m_bytes += size;
}

void FeatureJournal::delivered(const std::string& key, const Value& value)
{
    const auto place = m_places.find(key);
    if (place == m_places.end() || !place->second->waiting || place->second->value != value)
        return;
    place->second->waiting = false;
    m_waitingBytes -= sizeOf(*place->second);
    m_held.splice(m_held.end(), m_waiting, place->second);
}

std::uint64_t FeatureJournal::forgetDeliveries()
{
    const std::uint64_t count = m_held.size();
    for (Entry& entry : m_held)
        entry.waiting = true;
    m_waitingBytes = m_bytes;
    m_waiting.splice(m_waiting.begin(), m_held);
    return count;
}

std::uint64_t FeatureJournal::removeWithPrefix(const std::string& prefix)
{
    std::uint64_t removed = 0;
    for (Entries* entries : {&m_waiting, &m_held})
        for (auto entry = entries->begin(); entry != entries->end();) {
            const auto next = std::next(entry);
            if (entry->key.starts_with(prefix)) {
                erase(*entries, entry);
                ++removed;
            }
            entry = next;
        }
    return removed;
}

FeatureJournal::Value FeatureJournal::find(const std::string& key) const
{
    const auto place = m_places.find(key);
    return place == m_places.end() ? nullptr : place->second->value;
}

std::vector<FeatureJournal::Entry> FeatureJournal::waiting(std::size_t most, std::uint64_t mostBytes) const
{
    std::vector<Entry> some;
    std::uint64_t bytes = 0;
    for (auto entry = m_waiting.begin(); entry != m_waiting.end() && some.size() < most; ++entry) {
        bytes += sizeOf(*entry);
        if (!some.empty() && bytes > mostBytes)
            break;
        some.push_back(*entry);
    }
    return some;
}

} // namespace tamis::remote
