// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cost/ceiling_loops.h"

#include <immintrin.h>

// Each loop is compiled for its instruction set by an attribute; nothing of these functions is inline or shared.
namespace tamis::cost {
namespace {

// Independent chains: two units with a latency of 4 to 5 cycles need 10 of them; 16 leave room. AVX2 has 16 registers, of
// which two hold the operands.
constexpr int kWideChains = 16, kNarrowChains = 12, kReadChains = 8;

// Operands that the compiler must not know: x <- x * 0.5 + 0.5 stays near 1, far from overflow and from denormals.
volatile float factor = 0.5f, addend = 0.5f;

bool wide() noexcept
{
    static const bool supported = __builtin_cpu_supports("avx512f");
    return supported;
}

__attribute__((target("avx512f"), noinline)) float wideSum(__m512 values) noexcept
{
    alignas(64) float lanes[16];
    _mm512_store_ps(lanes, values);
    float sum = 0;
    for (const float lane : lanes)
        sum += lane;
    return sum;
}

__attribute__((target("avx512f"), noinline)) float wideFmaLoop(std::int64_t rounds) noexcept
{
    const __m512 a = _mm512_set1_ps(factor), b = _mm512_set1_ps(addend);
    __m512 x[kWideChains];
#pragma GCC unroll 16
    for (int i = 0; i < kWideChains; ++i)
        x[i] = _mm512_set1_ps(static_cast<float>(i));
    for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
        for (int i = 0; i < kWideChains; ++i)
            x[i] = _mm512_fmadd_ps(x[i], a, b);
    }
    __m512 sum = _mm512_setzero_ps();
#pragma GCC unroll 16
    for (int i = 0; i < kWideChains; ++i)
        sum = _mm512_add_ps(sum, x[i]);
    return wideSum(sum);
}

__attribute__((target("avx2,fma"), noinline)) float narrowSum(__m256 values) noexcept
{
    alignas(32) float lanes[8];
    _mm256_store_ps(lanes, values);
    float sum = 0;
    for (const float lane : lanes)
        sum += lane;
    return sum;
}

__attribute__((target("avx2,fma"), noinline)) float narrowFmaLoop(std::int64_t rounds) noexcept
{
    const __m256 a = _mm256_set1_ps(factor), b = _mm256_set1_ps(addend);
    __m256 x[kNarrowChains];
#pragma GCC unroll 12
    for (int i = 0; i < kNarrowChains; ++i)
        x[i] = _mm256_set1_ps(static_cast<float>(i));
    for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
        for (int i = 0; i < kNarrowChains; ++i)
            x[i] = _mm256_fmadd_ps(x[i], a, b);
    }
    __m256 sum = _mm256_setzero_ps();
#pragma GCC unroll 12
    for (int i = 0; i < kNarrowChains; ++i)
        sum = _mm256_add_ps(sum, x[i]);
    return narrowSum(sum);
}

__attribute__((target("avx512f"), noinline)) float wideReadLoop(const float* values, std::size_t count) noexcept
{
    __m512 x[kReadChains];
#pragma GCC unroll 8
    for (int i = 0; i < kReadChains; ++i)
        x[i] = _mm512_setzero_ps();
    for (std::size_t at = 0; at < count; at += 16 * kReadChains) {
#pragma GCC unroll 8
        for (int i = 0; i < kReadChains; ++i)
            x[i] = _mm512_add_ps(x[i], _mm512_load_ps(values + at + 16 * static_cast<std::size_t>(i)));
    }
    __m512 sum = x[0];
#pragma GCC unroll 8
    for (int i = 1; i < kReadChains; ++i)
        sum = _mm512_add_ps(sum, x[i]);
    return wideSum(sum);
}

__attribute__((target("avx2,fma"), noinline)) float narrowReadLoop(const float* values, std::size_t count) noexcept
{
    __m256 x[kReadChains];
#pragma GCC unroll 8
    for (int i = 0; i < kReadChains; ++i)
        x[i] = _mm256_setzero_ps();
    for (std::size_t at = 0; at < count; at += 8 * kReadChains) {
#pragma GCC unroll 8
        for (int i = 0; i < kReadChains; ++i)
            x[i] = _mm256_add_ps(x[i], _mm256_load_ps(values + at + 8 * static_cast<std::size_t>(i)));
    }
    __m256 sum = x[0];
#pragma GCC unroll 8
    for (int i = 1; i < kReadChains; ++i)
        sum = _mm256_add_ps(sum, x[i]);
    return narrowSum(sum);
}

} // namespace

float fmaLoop(std::int64_t rounds) noexcept { return wide() ? wideFmaLoop(rounds) : narrowFmaLoop(rounds); }
std::int64_t fmaFlopsPerRound() noexcept { return wide() ? 2 * 16 * kWideChains : 2 * 8 * kNarrowChains; }
float readLoop(const float* values, std::size_t count) noexcept
{
    return wide() ? wideReadLoop(values, count) : narrowReadLoop(values, count);
}

} // namespace tamis::cost
