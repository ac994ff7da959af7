// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Slots by their keys: by Hamming distance, or by equal keys of any of several tables.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace tamis::reuse {

/// The slot of a key near another.
class HammingIndex {
public:
    explicit HammingIndex(std::size_t capacity) { m_keys.reserve(capacity); }
    void put(std::size_t slot, std::uint64_t key);
    /// The nearest within `radius` bits; of equally near ones the lowest slot.
    std::optional<std::size_t> find(std::uint64_t key, int radius) const;
    void clear() { m_keys.clear(); }

private:
    std::vector<std::uint64_t> m_keys; ///< of slots 0 .. size - 1
};

/// Slots under one key in each of several tables.
class TableIndex {
public:
    explicit TableIndex(std::size_t tables) : m_tables(tables) {}
    /// Replaces what the slot stood under.
    void put(std::size_t slot, std::span<const std::uint64_t> keys);
    /// Slots that share a key with it in one table at least, each once, ascending.
    std::vector<std::size_t> candidates(std::span<const std::uint64_t> keys) const;
    void clear();

private:
    std::vector<std::unordered_map<std::uint64_t, std::vector<std::size_t>>> m_tables;
    std::vector<std::vector<std::uint64_t>> m_keys; ///< of each slot
};

} // namespace tamis::reuse
