// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Products of small whole numbers: unsigned bytes of queries (or of probabilities) with signed bytes of keys (or of values), and what makes
// them. Compiled for AVX-512 VNNI, for AVX2 and plainly. Sums are whole numbers and every rounding is written out: all have the same bits.
#include <cstdint>

namespace tamis::kernels {

inline constexpr std::int64_t kIntegerRows = 14;        ///< rows a register tile takes at most
inline constexpr std::int64_t kIntegerDepth = 65536;    ///< at most: sums stay within 32 bits

struct IntegerTable {
    const char* name;
    /// c[r * ldc + j] = x, or fused x columnScale[j] + c: x = float(sum_p a[r * lda + p] panel(p, j) - offset[j]) rowScale[r], times columnScale[j],
    /// for j < 32, r < rows <= kIntegerRows, p < depth, a multiple of 4; panel(p, j) = panel[(p / 4 * 32 + j) * 4 + p % 4].
    void (*product)(const std::uint8_t* a, std::int64_t lda, const std::int8_t* panel, std::int64_t depth, const std::int32_t* offset, const float* rowScale,
                    const float* columnScale, float* c, std::int64_t ldc, std::int64_t rows, bool accumulate);
    /// The greatest |x[i] - shift[i]|; infinity where one is not finite.
    float (*greatest)(const float* x, const float* shift, std::int64_t count);
    /// codes[i] = (x[i] - shift[i]) factor, rounded, halves away from 0: the whole part of it plus or minus 1/2 by its sign. Within -127 .. 127.
    void (*codes)(const float* x, const float* shift, float factor, std::int64_t count, std::int8_t* codes);
};

const IntegerTable& plainIntegers() noexcept;
const IntegerTable& avx2Integers() noexcept;
const IntegerTable& vnniIntegers() noexcept; ///< call only where the processor has AVX-512 F, BW, DQ, VL and VNNI
const IntegerTable& integers() noexcept;     ///< the best of this machine; AVX2's after forcePortableKernels(true)

} // namespace tamis::kernels
