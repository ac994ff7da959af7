// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/decomposition_cache.h"

#include "core/base/memory_estimate.h"

#include <algorithm>
#include <chrono>

namespace tamis::lowrank {

std::string cacheKey(std::initializer_list<std::string_view> parts)
{
    std::string key;
    for (const std::string_view part : parts)
        key.append(std::to_string(part.size())).append(":").append(part);
    return key;
}

std::shared_ptr<const void> DecompositionCache::find(const std::string& key, const Make& make, const RunContext& context)
{
    {
        std::unique_lock lock(m_mutex);
        for (auto found = m_entries.find(key); found != m_entries.end(); found = m_entries.find(key)) {
            if (found->second.value) {
                ++m_use.hits;
                m_order.splice(m_order.begin(), m_order, found->second.place);
                return found->second.value;
            }
            context.throwIfStopped();
            m_made.wait_for(lock, std::chrono::milliseconds(15));
        }
        ++m_use.misses;
        m_entries[key]; // being made
    }
    try {
        const auto [value, bytes] = make();
        keep(key, value, bytes);
        return value;
    } catch (...) {
        const std::lock_guard lock(m_mutex);
        m_entries.erase(key);
        m_made.notify_all();
        throw;
    }
}

void DecompositionCache::keep(const std::string& key, const std::shared_ptr<const void>& value, std::uint64_t bytes)
{
    const std::lock_guard lock(m_mutex);
    if (bytes > m_limit) {
        m_entries.erase(key); // waiting threads make their own: nothing of this size is held for them
    } else {
        while (m_use.bytes + bytes > m_limit) {
            const auto last = m_entries.find(m_order.back());
            m_use.bytes -= last->second.bytes;
            m_entries.erase(last);
            m_order.pop_back();
        }
        m_order.push_front(key);
        m_entries[key] = {value, bytes, m_order.begin()};
        m_use.bytes += bytes;
    }
    m_made.notify_all();
}

DecompositionCache::Use DecompositionCache::use() const
{
    const std::lock_guard lock(m_mutex);
    Use use = m_use;
    use.entries = m_order.size();
    return use;
}

void DecompositionCache::clear()
{
    const std::lock_guard lock(m_mutex);
    for (const std::string& key : m_order)
        m_entries.erase(key); // those being made stay
    m_order.clear();
    m_use = {};
}

DecompositionCache& sharedCache()
{
    static DecompositionCache cache(std::clamp<std::uint64_t>(availableMemory() / 8, 64u << 20, 2ull << 30));
    return cache;
}

} // namespace tamis::lowrank
