// SPDX-License-Identifier: GPL-3.0-or-later
// Compiled for x86-64-v3 (AVX2 and FMA): the least that Tamis runs on.
#include "core/kernels/scan_table.h"

#include <immintrin.h>

namespace tamis::kernels {

namespace {
typedef float Vec __attribute__((vector_size(32)));
constexpr int kLanes = 8;
constexpr int kFewTokens = 2; // 8 sums, 4 weights, 1 token: 13 of 16 registers
constexpr std::int64_t kRegisterRows = 6; // of a tile: 12 sums, 2 weights, 1 token: 15 of 16 registers
constexpr const char* kIsaName = "avx2";
inline Vec loadVec(const float* p) { return Vec(_mm256_loadu_ps(p)); }
inline void storeVec(float* p, Vec v) { _mm256_storeu_ps(p, __m256(v)); }
inline Vec splat(float x) { return Vec(_mm256_set1_ps(x)); }
inline Vec fusedMultiplyAdd(Vec a, Vec b, Vec c) { return Vec(_mm256_fmadd_ps(__m256(a), __m256(b), __m256(c))); }
inline Vec loadWide(const float* p) { return loadVec(p); }
inline Vec loadWide(const std::uint16_t* p)
{
    return Vec(_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))), 16)));
}
inline Vec loadWide(const std::int8_t* p) { return Vec(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))))); }
inline unsigned maskAbove(Vec a, Vec b) { return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(__m256(a), __m256(b), _CMP_GT_OQ))); }
#include "core/kernels/transpose_avx2.inc"
#include "core/kernels/scan_body.inc"
} // namespace

const ScanTable& avx2Scans() noexcept
{
    return kScans;
}

} // namespace tamis::kernels
