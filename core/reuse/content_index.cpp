// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/content_index.h"

#include "core/reuse/perceptual_hash.h"

#include <algorithm>

namespace tamis::reuse {

void HammingIndex::put(std::size_t slot, std::uint64_t key)
{
    if (slot >= m_keys.size())
        m_keys.resize(slot + 1);
    m_keys[slot] = key;
}

std::optional<std::size_t> HammingIndex::find(std::uint64_t key, int radius) const
{
    std::optional<std::size_t> best;
    int least = radius + 1;
    for (std::size_t slot = 0; slot < m_keys.size(); ++slot)
        if (const int distance = hammingDistance(key, m_keys[slot]); distance < least) {
            least = distance;
            best = slot;
        }
    return best;
}

void TableIndex::put(std::size_t slot, std::span<const std::uint64_t> keys)
{
    if (slot >= m_keys.size())
        m_keys.resize(slot + 1);
    for (std::size_t table = 0; table < m_keys[slot].size(); ++table) {
        const auto bucket = m_tables[table].find(m_keys[slot][table]);
        std::erase(bucket->second, slot);
        if (bucket->second.empty())
            m_tables[table].erase(bucket);
    }
    m_keys[slot].assign(keys.begin(), keys.end());
    for (std::size_t table = 0; table < keys.size(); ++table)
        m_tables[table][keys[table]].push_back(slot);
}

std::vector<std::size_t> TableIndex::candidates(std::span<const std::uint64_t> keys) const
{
    std::vector<std::size_t> found;
    for (std::size_t table = 0; table < m_tables.size(); ++table)
        if (const auto bucket = m_tables[table].find(keys[table]); bucket != m_tables[table].end())
            found.insert(found.end(), bucket->second.begin(), bucket->second.end());
    std::ranges::sort(found);
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

void TableIndex::clear()
{
    for (auto& table : m_tables)
        table.clear();
    m_keys.clear();
}

} // namespace tamis::reuse
