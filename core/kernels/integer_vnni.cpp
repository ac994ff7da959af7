// SPDX-License-Identifier: GPL-3.0-or-later
// Compiled for AVX-512 with VNNI. 14 rows x 32 columns in 28 registers: 64 multiply-adds an instruction, four times those of floats.
#include "core/kernels/integer_table.h"

#include <immintrin.h>

namespace tamis::kernels {

namespace {
constexpr std::int64_t kPanel = 32;
typedef int Sums __attribute__((vector_size(64))); // sums held as __m512i, which may alias anything, would be stored after every instruction

inline __m512i fourOf(const std::uint8_t* p)
{
    std::int32_t bits;
    __builtin_memcpy(&bits, p, sizeof bits);
    return _mm512_set1_epi32(bits);
}
inline __m512i load(const void* p) { return _mm512_loadu_si512(p); }

template <int R>
void productRows(const std::uint8_t* a, std::int64_t lda, const std::int8_t* panel, std::int64_t depth, const std::int32_t* offset, const float* rowScale,
                 const float* columnScale, float* c, std::int64_t ldc, bool accumulate)
{
    Sums acc[R][2];
    const Sums first = -Sums(load(offset)), second = -Sums(load(offset + 16));
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
        acc[r][0] = first;
        acc[r][1] = second;
    }
    for (std::int64_t p = 0; p < depth; p += 4, panel += 4 * kPanel) {
        const __m512i b0 = load(panel), b1 = load(panel + 64);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
            const __m512i x = fourOf(a + r * lda + p);
            acc[r][0] = Sums(_mm512_dpbusd_epi32(__m512i(acc[r][0]), x, b0));
            acc[r][1] = Sums(_mm512_dpbusd_epi32(__m512i(acc[r][1]), x, b1));
        }
    }
    const __m512 scale0 = _mm512_loadu_ps(columnScale), scale1 = _mm512_loadu_ps(columnScale + 16);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
        const __m512 row = _mm512_set1_ps(rowScale[r]);
        const __m512 x0 = _mm512_mul_ps(_mm512_cvtepi32_ps(__m512i(acc[r][0])), row), x1 = _mm512_mul_ps(_mm512_cvtepi32_ps(__m512i(acc[r][1])), row);
        float* const to = c + r * ldc;
        _mm512_storeu_ps(to, accumulate ? _mm512_fmadd_ps(x0, scale0, _mm512_loadu_ps(to)) : _mm512_mul_ps(x0, scale0));
        _mm512_storeu_ps(to + 16, accumulate ? _mm512_fmadd_ps(x1, scale1, _mm512_loadu_ps(to + 16)) : _mm512_mul_ps(x1, scale1));
    }
}

template <int R>
void productOf(const std::uint8_t* a, std::int64_t lda, const std::int8_t* panel, std::int64_t depth, const std::int32_t* offset, const float* rowScale,
               const float* columnScale, float* c, std::int64_t ldc, std::int64_t rows, bool accumulate)
{
    if (rows == R)
        return productRows<R>(a, lda, panel, depth, offset, rowScale, columnScale, c, ldc, accumulate);
    if constexpr (R > 1)
        productOf<R - 1>(a, lda, panel, depth, offset, rowScale, columnScale, c, ldc, rows, accumulate);
}

float greatest(const float* x, const float* shift, std::int64_t count)
{
    __m512 best = _mm512_setzero_ps();
    __mmask16 odd = 0;
    for (std::int64_t i = 0; i < count; i += 16) {
        const __mmask16 there = count - i >= 16 ? 0xFFFF : static_cast<__mmask16>((1U << (count - i)) - 1);
        const __m512 size = _mm512_abs_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(there, x + i), _mm512_maskz_loadu_ps(there, shift + i)));
        odd |= _mm512_cmp_ps_mask(size, _mm512_set1_ps(__FLT_MAX__), _CMP_NLE_UQ);
        best = _mm512_max_ps(best, size);
    }
    return odd ? __builtin_inff() : _mm512_reduce_max_ps(best);
}

void codes(const float* x, const float* shift, float factor, std::int64_t count, std::int8_t* to)
{
    for (std::int64_t i = 0; i < count; i += 16) {
        const __mmask16 there = count - i >= 16 ? 0xFFFF : static_cast<__mmask16>((1U << (count - i)) - 1);
        const __m512 y = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(there, x + i), _mm512_maskz_loadu_ps(there, shift + i)), _mm512_set1_ps(factor));
        const __m512 half = _mm512_or_ps(_mm512_and_ps(y, _mm512_set1_ps(-0.0F)), _mm512_set1_ps(0.5F));
        const __m512i code = _mm512_max_epi32(_mm512_set1_epi32(-127), _mm512_min_epi32(_mm512_set1_epi32(127), _mm512_cvttps_epi32(_mm512_add_ps(y, half))));
        _mm512_mask_cvtepi32_storeu_epi8(to + i, there, code);
    }
}

constexpr IntegerTable kTable{"avx512-vnni", productOf<kIntegerRows>, greatest, codes};
} // namespace

const IntegerTable& vnniIntegers() noexcept
{
    return kTable;
}

} // namespace tamis::kernels
