// SPDX-License-Identifier: GPL-3.0-or-later
// Compiled for AVX-512 F, BW, DQ, VL and VNNI whatever the rest of the program is compiled for.
#include "core/kernels/bound_table.h"

#include <immintrin.h>

namespace tamis::kernels {

namespace {
typedef float Vec __attribute__((vector_size(64)));
constexpr int kLanes = 16;
constexpr std::int64_t kFewTokens = 4; // 16 sums, 4 of weights, 1 of an input
constexpr std::int64_t kAhead = 2048;
inline Vec loadVec(const float* p) { return Vec(_mm512_loadu_ps(p)); }
inline void storeVec(float* p, Vec v) { _mm512_storeu_ps(p, __m512(v)); }
inline Vec splat(float x) { return Vec(_mm512_set1_ps(x)); }
inline Vec maxVec(Vec a, Vec b) { return Vec(_mm512_max_ps(__m512(a), __m512(b))); }
inline unsigned maskNotBelow(Vec a, Vec b) { return _mm512_cmp_ps_mask(__m512(a), __m512(b), _CMP_NLT_UQ); }

#include "core/kernels/bound_body.inc"

inline __m512i fourOf(const std::int8_t* p)
{
    std::int32_t bits;
    __builtin_memcpy(&bits, p, sizeof bits);
    return _mm512_set1_epi32(bits);
}

template <int T, bool nibbles>
void sumTokens(const std::uint8_t* stripe, std::int64_t depth, const BoundToken* tokens, std::int32_t* sums, std::int64_t stride)
{
    constexpr int kParts = nibbles ? 2 : 1; // groups of 4 inputs in 64 bytes
    const __m512i lowerHalves = _mm512_set1_epi8(15);
    __m512i acc[T][4];
#pragma GCC unroll 16
    for (int i = 0; i < 4 * T; ++i)
        acc[i / 4][i % 4] = _mm512_setzero_si512();
    for (std::int64_t p = 0; p < depth; p += 4 * kParts, stripe += 128) {
        __builtin_prefetch(stripe + kAhead);
        __builtin_prefetch(stripe + kAhead + 64);
        const __m512i stored[2] = {_mm512_loadu_si512(stripe), _mm512_loadu_si512(stripe + 64)};
#pragma GCC unroll 2
        for (int part = 0; part < kParts; ++part) {
            __m512i w[2];
#pragma GCC unroll 2
            for (int v = 0; v < 2; ++v)
                w[v] = !nibbles ? stored[v] : _mm512_and_si512(part ? _mm512_srli_epi16(stored[v], 4) : stored[v], lowerHalves);
#pragma GCC unroll 4
            for (int t = 0; t < T; ++t) {
                const __m512i high = fourOf(tokens[t].high + p + 4 * part), low = fourOf(tokens[t].low + p + 4 * part);
                acc[t][0] = _mm512_dpbusd_epi32(acc[t][0], w[0], high);
                acc[t][1] = _mm512_dpbusd_epi32(acc[t][1], w[1], high);
                acc[t][2] = _mm512_dpbusd_epi32(acc[t][2], w[0], low);
                acc[t][3] = _mm512_dpbusd_epi32(acc[t][3], w[1], low);
            }
        }
    }
#pragma GCC unroll 4
    for (int t = 0; t < T; ++t)
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v)
            _mm512_storeu_si512(sums + t * stride + v * 16, acc[t][v]);
}

template <int T, bool nibbles>
void dispatch(const std::uint8_t* stripe, std::int64_t depth, const BoundToken* tokens, std::int64_t count, std::int32_t* sums, std::int64_t stride)
{
    if (count == T)
        return sumTokens<T, nibbles>(stripe, depth, tokens, sums, stride);
    if constexpr (T > 1)
        dispatch<T - 1, nibbles>(stripe, depth, tokens, count, sums, stride);
}

constexpr BoundTable kTable{"avx512vnni", kFewTokens, dispatch<kFewTokens, false>, dispatch<kFewTokens, true>, boundRows};
} // namespace

const BoundTable& avx512VnniBounds() noexcept
{
    return kTable;
}

} // namespace tamis::kernels
