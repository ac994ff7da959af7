// SPDX-License-Identifier: GPL-3.0-or-later
// Compiled for AVX-512 F, BW, DQ, VL whatever the rest of the program is compiled for.
#include "core/kernels/kernel_table.h"

#include <immintrin.h>

namespace tamis::kernels {

namespace {
typedef float Vec __attribute__((vector_size(64)));
constexpr int kLanes = 16;
constexpr std::int64_t kRegisterRows = 14; // 28 accumulators, 2 weights, 1 token: 31 of 32 registers
constexpr const char* kIsaName = "avx512";
inline Vec loadVec(const float* p) { return Vec(_mm512_loadu_ps(p)); }
inline void storeVec(float* p, Vec v) { _mm512_storeu_ps(p, __m512(v)); }
inline Vec splat(float x) { return Vec(_mm512_set1_ps(x)); }
inline Vec fusedMultiplyAdd(Vec a, Vec b, Vec c) { return Vec(_mm512_fmadd_ps(__m512(a), __m512(b), __m512(c))); }
inline Vec maxVec(Vec a, Vec b) { return Vec(_mm512_max_ps(__m512(a), __m512(b))); }
inline Vec minVec(Vec a, Vec b) { return Vec(_mm512_min_ps(__m512(a), __m512(b))); }
inline Vec roundVec(Vec a) { return Vec(_mm512_roundscale_ps(__m512(a), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)); }
inline Vec scaleByPowerOf2(Vec a, Vec n) { return Vec(_mm512_scalef_ps(__m512(a), __m512(n))); }
inline Vec loadStored(const std::int8_t* p) { return Vec(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))); }
inline Vec loadStored(const std::uint16_t* p) { return Vec(_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))); }
inline float squareRoot(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }

#include "core/kernels/kernels_body.inc"
} // namespace

const KernelTable& avx512Kernels() noexcept
{
    return kTable;
}

} // namespace tamis::kernels
