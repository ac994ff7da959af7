// SPDX-License-Identifier: GPL-3.0-or-later
// Compiled for x86-64-v3 (AVX2 and FMA): the least that Tamis runs on.
#include "core/kernels/kernel_table.h"

#include <immintrin.h>

namespace tamis::kernels {

namespace {
typedef float Vec __attribute__((vector_size(32)));
constexpr int kLanes = 8;
constexpr std::int64_t kRegisterRows = 6; // 12 accumulators, 2 weights, 1 token: 15 of 16 registers
constexpr const char* kIsaName = "avx2";
inline Vec loadVec(const float* p) { return Vec(_mm256_loadu_ps(p)); }
inline void storeVec(float* p, Vec v) { _mm256_storeu_ps(p, __m256(v)); }
inline Vec splat(float x) { return Vec(_mm256_set1_ps(x)); }
inline Vec fusedMultiplyAdd(Vec a, Vec b, Vec c) { return Vec(_mm256_fmadd_ps(__m256(a), __m256(b), __m256(c))); }
inline Vec maxVec(Vec a, Vec b) { return Vec(_mm256_max_ps(__m256(a), __m256(b))); }
inline Vec minVec(Vec a, Vec b) { return Vec(_mm256_min_ps(__m256(a), __m256(b))); }
inline Vec roundVec(Vec a) { return Vec(_mm256_round_ps(__m256(a), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)); }
inline Vec scaleByPowerOf2(Vec a, Vec n)
{
    const __m256i exponent = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(__m256(n)), _mm256_set1_epi32(127)), 23);
    return a * Vec(_mm256_castsi256_ps(exponent));
}
inline Vec loadStored(const std::int8_t* p) { return Vec(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))))); }
inline Vec loadStored(const std::uint16_t* p) { return Vec(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))); }
inline float squareRoot(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }

#include "core/kernels/kernels_body.inc"
} // namespace

const KernelTable& avx2Kernels() noexcept
{
    return kTable;
}

} // namespace tamis::kernels
