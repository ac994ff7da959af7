// SPDX-License-Identifier: GPL-3.0-or-later
// Compiled for AVX-512 F, BW, DQ, VL whatever the rest of the program is compiled for.
#include "core/kernels/scan_table.h"

#include <immintrin.h>

namespace tamis::kernels {

namespace {
typedef float Vec __attribute__((vector_size(64)));
constexpr int kLanes = 16;
constexpr int kFewTokens = 6; // 12 sums, 2 weights, 1 token
constexpr std::int64_t kRegisterRows = 14; // of a tile: 28 sums, 2 weights, 1 token: 31 of 32 registers
constexpr const char* kIsaName = "avx512";
inline Vec loadVec(const float* p) { return Vec(_mm512_loadu_ps(p)); }
inline void storeVec(float* p, Vec v) { _mm512_storeu_ps(p, __m512(v)); }
inline Vec splat(float x) { return Vec(_mm512_set1_ps(x)); }
inline Vec fusedMultiplyAdd(Vec a, Vec b, Vec c) { return Vec(_mm512_fmadd_ps(__m512(a), __m512(b), __m512(c))); }
inline Vec loadWide(const float* p) { return loadVec(p); }
inline Vec loadWide(const std::uint16_t* p)
{
    return Vec(_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))), 16)));
}
inline Vec loadWide(const std::int8_t* p) { return Vec(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))); }
inline unsigned maskAbove(Vec a, Vec b) { return _mm512_cmp_ps_mask(__m512(a), __m512(b), _CMP_GT_OQ); }
#include "core/kernels/transpose_avx512.inc"
#include "core/kernels/scan_body.inc"
} // namespace

const ScanTable& avx512Scans() noexcept
{
    return kScans;
}

} // namespace tamis::kernels
