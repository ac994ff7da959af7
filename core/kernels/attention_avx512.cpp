// SPDX-License-Identifier: GPL-3.0-or-later
// Compiled for AVX-512 F, BW, DQ, VL whatever the rest of the program is compiled for.
#include "core/kernels/attention_table.h"

#include <immintrin.h>

namespace tamis::kernels {

namespace {
typedef float Vec __attribute__((vector_size(64)));
constexpr int kLanes = 16;
constexpr std::int64_t kRegisterRows = 14; // 28 sums, 2 of the panel, 1 query: 31 of 32 registers
constexpr const char* kIsaName = "avx512";
inline Vec loadVec(const float* p) { return Vec(_mm512_loadu_ps(p)); }
inline void storeVec(float* p, Vec v) { _mm512_storeu_ps(p, __m512(v)); }
inline Vec splat(float x) { return Vec(_mm512_set1_ps(x)); }
inline Vec fusedMultiplyAdd(Vec a, Vec b, Vec c) { return Vec(_mm512_fmadd_ps(__m512(a), __m512(b), __m512(c))); }
inline Vec maxVec(Vec a, Vec b) { return Vec(_mm512_max_ps(__m512(a), __m512(b))); }
inline Vec roundVec(Vec a) { return Vec(_mm512_roundscale_ps(__m512(a), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)); }
inline Vec floorVec(Vec a) { return Vec(_mm512_roundscale_ps(__m512(a), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)); }
inline Vec powerOf2(Vec p, Vec n) { return Vec(_mm512_scalef_ps(__m512(p), __m512(n))); }
inline void storeCodes(std::uint8_t* to, Vec v)
{
    const __m512i whole = _mm512_max_epi32(_mm512_cvtps_epi32(__m512(v)), _mm512_setzero_si512()); // no number converts to the least integer
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtusepi32_epi8(whole));
}

#include "core/kernels/transpose_avx512.inc"
#include "core/kernels/attention_body.inc"
} // namespace

const AttentionTable& avx512Attention() noexcept
{
    return kAttention;
}

} // namespace tamis::kernels
