// SPDX-License-Identifier: GPL-3.0-or-later
// Compiled for x86-64-v3 (AVX2 and FMA): the least that Tamis runs on.
#include "core/kernels/attention_table.h"

#include <immintrin.h>

namespace tamis::kernels {

namespace {
typedef float Vec __attribute__((vector_size(32)));
constexpr int kLanes = 8;
constexpr std::int64_t kRegisterRows = 6; // 12 sums, 2 of the panel, 1 query: 15 of 16 registers
constexpr const char* kIsaName = "avx2";
inline Vec loadVec(const float* p) { return Vec(_mm256_loadu_ps(p)); }
inline void storeVec(float* p, Vec v) { _mm256_storeu_ps(p, __m256(v)); }
inline Vec splat(float x) { return Vec(_mm256_set1_ps(x)); }
inline Vec fusedMultiplyAdd(Vec a, Vec b, Vec c) { return Vec(_mm256_fmadd_ps(__m256(a), __m256(b), __m256(c))); }
inline Vec maxVec(Vec a, Vec b) { return Vec(_mm256_max_ps(__m256(a), __m256(b))); }
inline Vec roundVec(Vec a) { return Vec(_mm256_round_ps(__m256(a), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)); }
inline Vec floorVec(Vec a) { return Vec(_mm256_round_ps(__m256(a), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)); }
inline Vec powerOf2(Vec p, Vec n)
{
    const __m256i exponent = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(__m256(n)), _mm256_set1_epi32(127)), 23);
    const __m256 held = _mm256_cmp_ps(__m256(n), _mm256_set1_ps(-126.0f), _CMP_NLT_UQ); // below: 0; no number passes
    return Vec(_mm256_and_ps(held, _mm256_mul_ps(__m256(p), _mm256_castsi256_ps(exponent))));
}
inline void storeCodes(std::uint8_t* to, Vec v)
{
    const __m256i whole = _mm256_cvtps_epi32(__m256(v)); // no number converts to the least integer, which both packings bring to 0
    const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(halves, halves));
}

#include "core/kernels/transpose_avx2.inc"
#include "core/kernels/attention_body.inc"
} // namespace

const AttentionTable& avx2Attention() noexcept
{
    return kAttention;
}

} // namespace tamis::kernels
