// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Counts of requests in 4 bits each, by hashes: count-min, halved now and then. Source: Einziger, Friedman, Manes
// 2017, TinyLFU. Private to the lab.
#include "core/base/split_mix.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace tamis::cache {

class CountSketch {
public:
    /// At least `counters` counters; all are halved after `period` additions.
    CountSketch(std::uint64_t counters, std::uint64_t period) : m_words(std::bit_ceil(std::max<std::uint64_t>(counters / 4, 8))), m_mask(m_words.size() - 1), m_period(period) {}

    void add(std::uint64_t id) noexcept
    {
        const std::uint64_t hash = mixedBits(id);
        bool added = false;
        for (unsigned row = 0; row < 4; ++row) {
            std::uint64_t& word = m_words[wordOf(hash, row)];
            const unsigned shift = shiftOf(hash, row);
            if (((word >> shift) & 15U) < 15U) {
                word += std::uint64_t{1} << shift;
                added = true;
            }
        }
        if (added && ++m_additions == m_period)
            halve();
    }
    unsigned estimate(std::uint64_t id) const noexcept
    {
        const std::uint64_t hash = mixedBits(id);
        unsigned least = 15;
        for (unsigned row = 0; row < 4; ++row)
            least = std::min(least, static_cast<unsigned>((m_words[wordOf(hash, row)] >> shiftOf(hash, row)) & 15U));
        return least;
    }
    std::size_t bytesHeld() const noexcept { return m_words.capacity() * sizeof(std::uint64_t); }
    void prefetch(std::uint64_t id) const noexcept { __builtin_prefetch(&m_words[wordOf(mixedBits(id), 0)], 1); }

private:
    /// The four counters lie in one stretch of 64 bytes: one line of the cache.
    std::size_t wordOf(std::uint64_t hash, unsigned row) const noexcept
    {
        const std::uint64_t line = (hash >> 32U) & (m_mask >> 3U);
        return static_cast<std::size_t>((line << 3U) + row * 2 + ((hash >> (4 * row)) & 1U));
    }
    static unsigned shiftOf(std::uint64_t hash, unsigned row) noexcept { return static_cast<unsigned>((hash >> (4 * row + 16)) & 15U) * 4; }
    void halve() noexcept
    {
        for (std::uint64_t& word : m_words)
            word = (word >> 1U) & 0x7777777777777777ULL;
        m_additions /= 2;
    }
    std::vector<std::uint64_t> m_words;
    std::uint64_t m_mask, m_period, m_additions = 0;
};

} // namespace tamis::cache
