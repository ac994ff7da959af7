// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Sixteen numbers at a time, so that compilers that leave loops of unknown length as they are take them side by side. Private to the lab.
#include <cstdint>

namespace tamis::attention {

/// Whether none is infinite or not a number: 0 times such a one is not a number, 0 times another is 0.
inline bool allNumbers(const float* values, std::int64_t count)
{
    float parts[16] = {};
    std::int64_t i = 0;
    for (; i + 16 <= count; i += 16)
        for (std::int64_t lane = 0; lane < 16; ++lane)
            parts[lane] += 0 * values[i + lane];
    for (; i < count; ++i)
        parts[0] += 0 * values[i];
    float sum = 0;
    for (const float part : parts)
        sum += part;
    return sum == 0;
}

/// to += max(from, 0); what is not a number stays that.
inline void addPositive(const float* __restrict from, float* __restrict to, std::int64_t count)
{
    std::int64_t i = 0;
    for (; i + 16 <= count; i += 16)
        for (std::int64_t lane = 0; lane < 16; ++lane)
            to[i + lane] += from[i + lane] < 0 ? 0.0F : from[i + lane];
    for (; i < count; ++i)
        to[i] += from[i] < 0 ? 0.0F : from[i];
}

/// to += factor from
inline void addTimes(float factor, const float* __restrict from, float* __restrict to, std::int64_t count)
{
    std::int64_t i = 0;
    for (; i + 16 <= count; i += 16)
        for (std::int64_t lane = 0; lane < 16; ++lane)
            to[i + lane] += factor * from[i + lane];
    for (; i < count; ++i)
        to[i] += factor * from[i];
}

/// to += number
inline void addNumber(float number, float* to, std::int64_t count)
{
    std::int64_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (std::int64_t lane = 0; lane < 8; ++lane)
            to[i + lane] += number;
    for (; i < count; ++i)
        to[i] += number;
}

} // namespace tamis::attention
