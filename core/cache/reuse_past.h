// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What is remembered of an object's requests, held or not, and as features of a predictor. Private to the lab.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace tamis::cache {

inline constexpr std::size_t kPastGaps = 4, kDecays = 4;
/// log2 of: the age, requests, the last gaps (newest first), the size; then counters that halve every 64, 1024, 16384, 262144 requests (as LRB's
/// exponentially decayed counters, Song et al. 2020).
inline constexpr std::size_t kReuseFeatures = 3 + kPastGaps + kDecays;
inline constexpr float kNoGap = 32; ///< log2 of a gap that there was none of
inline constexpr std::array<float, kDecays> kHalfLives{64, 1024, 16384, 262144};

struct ReusePast {
    std::uint64_t last = 0; ///< counted from 1; 0: never
    std::uint32_t requests = 0, size = 1;
    std::array<float, kPastGaps> gaps{kNoGap, kNoGap, kNoGap, kNoGap}; ///< log2
    std::array<float, kDecays> counters{};

    void note(std::uint64_t now, std::uint32_t sizeNow)
    {
        if (last > 0) {
            const auto gap = static_cast<float>(now - last);
            for (std::size_t i = kPastGaps - 1; i > 0; --i)
                gaps[i] = gaps[i - 1];
            gaps[0] = std::log2(gap);
            for (std::size_t i = 0; i < kDecays; ++i)
                counters[i] *= std::exp2(-gap / kHalfLives[i]);
        }
        for (float& counter : counters)
            counter += 1;
        last = now;
        size = sizeNow;
        ++requests;
    }
    std::array<float, kReuseFeatures> features(std::uint64_t now) const
    {
        std::array<float, kReuseFeatures> x{};
        const auto age = static_cast<float>(now - last);
        x[0] = std::log2(1 + age);
        x[1] = std::log2(static_cast<float>(requests));
        for (std::size_t i = 0; i < kPastGaps; ++i)
            x[2 + i] = gaps[i];
        x[2 + kPastGaps] = std::log2(static_cast<float>(size));
        for (std::size_t i = 0; i < kDecays; ++i)
            x[3 + kPastGaps + i] = counters[i] * std::exp2(-age / kHalfLives[i]);
        return x;
    }
};

} // namespace tamis::cache
