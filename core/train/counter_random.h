// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Random numbers by position instead of by turn: the same whatever the order in which threads come by. Private to train.
#include <cstdint>

namespace tamis::train {

/// Uniform in [0, 1), 53 bits. SplitMix64's finaliser (Steele, Lea, Flood 2014) over seed and position.
inline double uniformAt(std::uint64_t seed, std::uint64_t position) noexcept
{
    std::uint64_t z = seed * 0xD1342543DE82EF95ULL + (position + 1) * 0x9E3779B97F4A7C15ULL;
    for (int round = 0; round < 2; ++round) {
        z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
        z ^= z >> 31U;
    }
    return static_cast<double>(z >> 11U) * 0x1.0p-53;
}

} // namespace tamis::train
