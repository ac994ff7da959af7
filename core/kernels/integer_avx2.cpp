// SPDX-License-Identifier: GPL-3.0-or-later
// Compiled for x86-64-v3. The multiply-add of bytes (vpmaddubsw) saturates at 16 bits: bytes are widened to 16 bits first, a pair of products is
// below 2^16 in size.
#include "core/kernels/integer_table.h"

#include <immintrin.h>

namespace tamis::kernels {

namespace {
constexpr std::int64_t kPanel = 32;

inline __m256i fourOf(const std::uint8_t* p)
{
    std::int32_t bits;
    __builtin_memcpy(&bits, p, sizeof bits);
    return _mm256_cvtepu8_epi16(_mm_set1_epi32(bits));
}

/// 16 columns of R rows: of 4 columns a register with 2 sums each.
template <int R>
void productHalf(const std::uint8_t* a, std::int64_t lda, const std::int8_t* panel, std::int64_t depth, const std::int32_t* offset, const float* rowScale,
                 const float* columnScale, float* c, std::int64_t ldc, bool accumulate)
{
    __m256i acc[R][4];
#pragma GCC unroll 8
    for (int i = 0; i < 4 * R; ++i)
        acc[i / 4][i % 4] = _mm256_setzero_si256();
    for (std::int64_t p = 0; p < depth; p += 4, panel += 4 * kPanel) {
        __m256i b[4];
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v)
            b[v] = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(panel + 16 * v)));
#pragma GCC unroll 2
        for (int r = 0; r < R; ++r) {
            const __m256i x = fourOf(a + r * lda + p);
#pragma GCC unroll 4
            for (int v = 0; v < 4; ++v)
                acc[r][v] = _mm256_add_epi32(acc[r][v], _mm256_madd_epi16(b[v], x));
        }
    }
#pragma GCC unroll 2
    for (int r = 0; r < R; ++r) {
        const __m256 row = _mm256_set1_ps(rowScale[r]);
#pragma GCC unroll 2
        for (int v = 0; v < 2; ++v) {
            const __m256i pairs = _mm256_permute4x64_epi64(_mm256_hadd_epi32(acc[r][2 * v], acc[r][2 * v + 1]), 0xD8); // columns 0 1 4 5 | 2 3 6 7 in order
            const __m256i sum = _mm256_sub_epi32(pairs, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(offset + 8 * v)));
            const __m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), row), scale = _mm256_loadu_ps(columnScale + 8 * v);
            float* const to = c + r * ldc + 8 * v;
            _mm256_storeu_ps(to, accumulate ? _mm256_fmadd_ps(x, scale, _mm256_loadu_ps(to)) : _mm256_mul_ps(x, scale));
        }
    }
}

void product(const std::uint8_t* a, std::int64_t lda, const std::int8_t* panel, std::int64_t depth, const std::int32_t* offset, const float* rowScale,
             const float* columnScale, float* c, std::int64_t ldc, std::int64_t rows, bool accumulate)
{
    for (std::int64_t half = 0; half < 2; ++half) {
        const std::int64_t j = 16 * half;
        std::int64_t r = 0;
        for (; r + 2 <= rows; r += 2)
            productHalf<2>(a + r * lda, lda, panel + 4 * j, depth, offset + j, rowScale + r, columnScale + j, c + r * ldc + j, ldc, accumulate);
        if (r < rows)
            productHalf<1>(a + r * lda, lda, panel + 4 * j, depth, offset + j, rowScale + r, columnScale + j, c + r * ldc + j, ldc, accumulate);
    }
}

inline __m256 shifted(const float* x, const float* shift, std::int64_t count)
{
    if (count >= 8)
        return _mm256_sub_ps(_mm256_loadu_ps(x), _mm256_loadu_ps(shift));
    alignas(32) float part[8] = {};
    for (std::int64_t i = 0; i < count; ++i)
        part[i] = x[i] - shift[i];
    return _mm256_load_ps(part);
}

float greatest(const float* x, const float* shift, std::int64_t count)
{
    __m256 best = _mm256_setzero_ps(), odd = _mm256_setzero_ps();
    for (std::int64_t i = 0; i < count; i += 8) {
        const __m256 size = _mm256_andnot_ps(_mm256_set1_ps(-0.0F), shifted(x + i, shift + i, count - i));
        odd = _mm256_or_ps(odd, _mm256_cmp_ps(size, _mm256_set1_ps(__FLT_MAX__), _CMP_NLE_UQ));
        best = _mm256_max_ps(best, size);
    }
    alignas(32) float part[8];
    _mm256_store_ps(part, best);
    float found = 0;
    for (const float size : part)
        found = size > found ? size : found;
    return _mm256_movemask_ps(odd) ? __builtin_inff() : found;
}

void codes(const float* x, const float* shift, float factor, std::int64_t count, std::int8_t* to)
{
    for (std::int64_t i = 0; i < count; i += 8) {
        const __m256 y = _mm256_mul_ps(shifted(x + i, shift + i, count - i), _mm256_set1_ps(factor));
        const __m256 half = _mm256_or_ps(_mm256_and_ps(y, _mm256_set1_ps(-0.0F)), _mm256_set1_ps(0.5F));
        const __m256i code = _mm256_max_epi32(_mm256_set1_epi32(-127), _mm256_min_epi32(_mm256_set1_epi32(127), _mm256_cvttps_epi32(_mm256_add_ps(y, half))));
        alignas(32) std::int32_t part[8];
        _mm256_store_si256(reinterpret_cast<__m256i*>(part), code);
        for (std::int64_t j = 0; j < 8 && i + j < count; ++j)
            to[i + j] = static_cast<std::int8_t>(part[j]);
    }
}

constexpr IntegerTable kTable{"avx2", product, greatest, codes};
} // namespace

const IntegerTable& avx2Integers() noexcept
{
    return kTable;
}

} // namespace tamis::kernels
