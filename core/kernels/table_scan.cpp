// SPDX-License-Identifier: GPL-3.0-or-later
// AVX2, which the common instruction set (x86-64-v3) has: a shuffle looks 32 entries of a table of 16 bytes up at once.
#include "core/kernels/table_scan.h"

#include <immintrin.h>

namespace tamis::kernels {

void sumTables256(const std::uint8_t* codes, const float* tables, std::int64_t parts, std::int64_t blocks, float* sums)
{
    for (std::int64_t b = 0; b < blocks; ++b, sums += kTableBlock) {
        __m256 sum[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
        for (std::int64_t s = 0; s < parts; ++s, codes += kTableBlock)
            for (int eighth = 0; eighth < 4; ++eighth) {
                const __m256i at = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + 8 * eighth)));
                sum[eighth] = _mm256_add_ps(sum[eighth], _mm256_i32gather_ps(tables + 256 * s, at, 4));
            }
        for (int eighth = 0; eighth < 4; ++eighth)
            _mm256_storeu_ps(sums + 8 * eighth, sum[eighth]);
    }
}

void sumTables16(const std::uint8_t* packed, const std::uint8_t* tables, std::int64_t parts, std::int64_t blocks, std::uint16_t* sums)
{
    const __m256i low = _mm256_set1_epi8(15), even = _mm256_set1_epi16(255);
    const auto tableOf = [&](std::int64_t s) { return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(tables + 16 * s))); };
    for (std::int64_t b = 0; b < blocks; ++b, sums += kTableBlock) {
        __m256i evens = _mm256_setzero_si256(), odds = evens; // rows 0, 2, 4 ... and 1, 3, 5 ... in words of 16 bits
        for (std::int64_t s = 0; s < parts; s += 2, packed += kTableBlock) {
            const __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(packed));
            const __m256i first = _mm256_shuffle_epi8(tableOf(s), _mm256_and_si256(codes, low));
            const __m256i second = _mm256_shuffle_epi8(tableOf(s + 1), _mm256_and_si256(_mm256_srli_epi16(codes, 4), low));
            evens = _mm256_add_epi16(evens, _mm256_add_epi16(_mm256_and_si256(first, even), _mm256_and_si256(second, even)));
            odds = _mm256_add_epi16(odds, _mm256_add_epi16(_mm256_srli_epi16(first, 8), _mm256_srli_epi16(second, 8)));
        }
        // back into the order of rows: words 0..3 | 8..11 of each half's interleaving
        const __m256i lower = _mm256_unpacklo_epi16(evens, odds), upper = _mm256_unpackhi_epi16(evens, odds);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums), _mm256_permute2x128_si256(lower, upper, 0x20));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + 16), _mm256_permute2x128_si256(lower, upper, 0x31));
    }
}

void splitNibbles(const std::uint8_t* packed, std::int64_t rows, std::int8_t* split)
{
    const __m256i low = _mm256_set1_epi8(15), eight = _mm256_set1_epi8(8);
    for (std::int64_t p = 0; p < rows; ++p, packed += kTableBlock, split += 2 * kTableBlock) {
        const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(packed));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(split), _mm256_sub_epi8(_mm256_and_si256(both, low), eight));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(split + kTableBlock), _mm256_sub_epi8(_mm256_and_si256(_mm256_srli_epi16(both, 4), low), eight));
    }
}

} // namespace tamis::kernels
