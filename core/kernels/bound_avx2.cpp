// SPDX-License-Identifier: GPL-3.0-or-later
// Compiled for x86-64-v3 (AVX2 and FMA): the least that Tamis runs on; one pair of functions for AVX-VNNI. The multiply-add of bytes
// (vpmaddubsw) saturates at 16 bits and would break the bounds: bytes are widened to 16 bits first.
#include "core/kernels/bound_table.h"

#include <immintrin.h>

namespace tamis::kernels {

namespace {
typedef float Vec __attribute__((vector_size(32)));
constexpr int kLanes = 8;
constexpr std::int64_t kAhead = 2048;
inline Vec loadVec(const float* p) { return Vec(_mm256_loadu_ps(p)); }
inline void storeVec(float* p, Vec v) { _mm256_storeu_ps(p, __m256(v)); }
inline Vec splat(float x) { return Vec(_mm256_set1_ps(x)); }
inline Vec maxVec(Vec a, Vec b) { return Vec(_mm256_max_ps(__m256(a), __m256(b))); }
inline unsigned maskNotBelow(Vec a, Vec b) { return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(__m256(a), __m256(b), _CMP_NLT_UQ))); }

#include "core/kernels/bound_body.inc"

inline __m128i fourOf(const std::int8_t* p)
{
    std::int32_t bits;
    __builtin_memcpy(&bits, p, sizeof bits);
    return _mm_set1_epi32(bits);
}

template <bool nibbles> inline __m256i storedAt(const std::uint8_t* from, int part)
{
    const __m256i stored = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return !nibbles ? stored : _mm256_and_si256(part ? _mm256_srli_epi16(stored, 4) : stored, _mm256_set1_epi8(15));
}

// 16 rows at a time: a product of 255 and 128 is below 2^15 in size, a pair below 2^16, and 2^14 pairs fit into 32 bits.
template <bool nibbles> void sumHalf(const std::uint8_t* stripe, std::int64_t depth, const BoundToken& token, std::int32_t* sums)
{
    constexpr int kParts = nibbles ? 2 : 1;
    __m256i acc[2][4]; // plane, 4 rows with 2 sums each
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i)
        acc[i / 4][i % 4] = _mm256_setzero_si256();
    for (std::int64_t p = 0; p < depth; p += 4 * kParts, stripe += 128) {
        __builtin_prefetch(stripe + kAhead);
#pragma GCC unroll 2
        for (int part = 0; part < kParts; ++part) {
            const __m256i high = _mm256_cvtepi8_epi16(fourOf(token.high + p + 4 * part)), low = _mm256_cvtepi8_epi16(fourOf(token.low + p + 4 * part));
#pragma GCC unroll 2
            for (int v = 0; v < 2; ++v) {
                const __m256i stored = storedAt<nibbles>(stripe + 32 * v, part);
                const __m256i first = _mm256_cvtepu8_epi16(_mm256_castsi256_si128(stored)), second = _mm256_cvtepu8_epi16(_mm256_extracti128_si256(stored, 1));
                acc[0][2 * v] = _mm256_add_epi32(acc[0][2 * v], _mm256_madd_epi16(first, high));
                acc[0][2 * v + 1] = _mm256_add_epi32(acc[0][2 * v + 1], _mm256_madd_epi16(second, high));
                acc[1][2 * v] = _mm256_add_epi32(acc[1][2 * v], _mm256_madd_epi16(first, low));
                acc[1][2 * v + 1] = _mm256_add_epi32(acc[1][2 * v + 1], _mm256_madd_epi16(second, low));
            }
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        const __m256i pairs = _mm256_hadd_epi32(acc[i / 2][i % 2 * 2], acc[i / 2][i % 2 * 2 + 1]); // rows 0 1 4 5 | 2 3 6 7
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + i / 2 * kStripe + i % 2 * 8), _mm256_permute4x64_epi64(pairs, 0xD8));
    }
}

template <bool nibbles>
void sumPlain(const std::uint8_t* stripe, std::int64_t depth, const BoundToken* tokens, std::int64_t count, std::int32_t* sums, std::int64_t stride)
{
    for (std::int64_t t = 0; t < count; ++t) {
        sumHalf<nibbles>(stripe, depth, tokens[t], sums + t * stride);
        sumHalf<nibbles>(stripe + 64, depth, tokens[t], sums + t * stride + 16);
    }
}

template <bool nibbles>
__attribute__((target("avxvnni"))) void sumVnni(const std::uint8_t* stripe, std::int64_t depth, const BoundToken* tokens, std::int64_t count, std::int32_t* sums, std::int64_t stride)
{
    constexpr int kParts = nibbles ? 2 : 1;
    for (std::int64_t t = 0; t < count; ++t) {
        const std::uint8_t* from = stripe;
        __m256i acc[2][4];
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i)
            acc[i / 4][i % 4] = _mm256_setzero_si256();
        for (std::int64_t p = 0; p < depth; p += 4 * kParts, from += 128) {
            __builtin_prefetch(from + kAhead);
            __builtin_prefetch(from + kAhead + 64);
#pragma GCC unroll 2
            for (int part = 0; part < kParts; ++part) {
                std::int32_t highBits, lowBits;
                __builtin_memcpy(&highBits, tokens[t].high + p + 4 * part, sizeof highBits);
                __builtin_memcpy(&lowBits, tokens[t].low + p + 4 * part, sizeof lowBits);
                const __m256i high = _mm256_set1_epi32(highBits), low = _mm256_set1_epi32(lowBits);
#pragma GCC unroll 4
                for (int v = 0; v < 4; ++v) {
                    __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 32 * v));
                    if (nibbles)
                        w = _mm256_and_si256(part ? _mm256_srli_epi16(w, 4) : w, _mm256_set1_epi8(15));
                    acc[0][v] = _mm256_dpbusd_avx_epi32(acc[0][v], w, high);
                    acc[1][v] = _mm256_dpbusd_avx_epi32(acc[1][v], w, low);
                }
            }
        }
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i)
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + t * stride + i * 8), acc[i / 4][i % 4]);
    }
}

constexpr BoundTable kPlain{"avx2", 1, sumPlain<false>, sumPlain<true>, boundRows};
constexpr BoundTable kVnni{"avxvnni", 1, sumVnni<false>, sumVnni<true>, boundRows};
} // namespace

const BoundTable& avx2Bounds() noexcept
{
    return kPlain;
}

const BoundTable& avxVnniBounds() noexcept
{
    return kVnni;
}

} // namespace tamis::kernels
