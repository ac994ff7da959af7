// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The scalar product of two short rows where a BLAS call would cost more than it does. Private to the lab.
#include <cstdint>

namespace tamis::attention {

/// sum_i a_i b_i in a fixed order, so that one row alone gives what it gives among others: sixteen sums side by side, then one after the other.
inline float scalarProduct(const float* a, const float* b, std::int64_t count)
{
    float parts[16] = {};
    std::int64_t i = 0;
    for (; i + 16 <= count; i += 16)
        for (std::int64_t lane = 0; lane < 16; ++lane)
            parts[lane] += a[i + lane] * b[i + lane];
    for (; i < count; ++i)
        parts[0] += a[i] * b[i];
    float sum = 0;
    for (const float part : parts)
        sum += part;
    return sum;
}

} // namespace tamis::attention
