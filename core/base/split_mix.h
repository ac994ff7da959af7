// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// SplitMix64 (Steele, Lea, Flood 2014), for draws that no standard library may change.
#include <cstdint>

namespace tamis {

inline constexpr std::uint64_t kSplitMixStep = 0x9E3779B97F4A7C15ULL;

/// Its finaliser: other bits of every bit of z.
constexpr std::uint64_t mixedBits(std::uint64_t z) noexcept
{
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31U);
}

/// The next number of the sequence.
constexpr std::uint64_t nextBits(std::uint64_t& state) noexcept { return mixedBits(state += kSplitMixStep); }

} // namespace tamis
