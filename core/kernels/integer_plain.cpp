// SPDX-License-Identifier: GPL-3.0-or-later
// What the vector loops are held to, and the choice between them.
#include "core/kernels/integer_table.h"

#include "core/kernels/packed_matrix.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis::kernels {

namespace {
constexpr std::int64_t kPanel = 32;

void product(const std::uint8_t* a, std::int64_t lda, const std::int8_t* panel, std::int64_t depth, const std::int32_t* offset, const float* rowScale,
             const float* columnScale, float* c, std::int64_t ldc, std::int64_t rows, bool accumulate)
{
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t j = 0; j < kPanel; ++j) {
            std::int32_t sum = -offset[j];
            for (std::int64_t p = 0; p < depth; ++p)
                sum += std::int32_t{a[r * lda + p]} * std::int32_t{panel[(p / 4 * kPanel + j) * 4 + p % 4]};
            const float x = static_cast<float>(sum) * rowScale[r];
            float& to = c[r * ldc + j];
            to = accumulate ? std::fma(x, columnScale[j], to) : x * columnScale[j];
        }
}

float greatest(const float* x, const float* shift, std::int64_t count)
{
    float found = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        const float size = std::abs(x[i] - shift[i]);
        found = size <= std::numeric_limits<float>::max() ? std::max(found, size) : std::numeric_limits<float>::infinity();
    }
    return found;
}

void codes(const float* x, const float* shift, float factor, std::int64_t count, std::int8_t* to)
{
    for (std::int64_t i = 0; i < count; ++i) {
        const float y = (x[i] - shift[i]) * factor;
        to[i] = static_cast<std::int8_t>(std::clamp(std::trunc(y + std::copysign(0.5F, y)), -127.0F, 127.0F));
    }
}
} // namespace

const IntegerTable& plainIntegers() noexcept
{
    static constexpr IntegerTable table{"plain", product, greatest, codes};
    return table;
}

const IntegerTable& integers() noexcept
{
    return instructionSet() == "avx512" && __builtin_cpu_supports("avx512vnni") ? vnniIntegers() : avx2Integers();
}

} // namespace tamis::kernels
