// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The innermost loops of scans over rows of small integers that bound scores from both sides, compiled once for each instruction set
// (bound_avx2.cpp, bound_avx512.cpp). Sums are whole numbers: every instruction set has the same.
#include <cstdint>

namespace tamis::kernels {

inline constexpr std::int64_t kStripe = 32;     ///< rows stored side by side
inline constexpr std::int64_t kMaximumDepth = 65536; ///< inputs at most: sums stay within 32 bits

/// An input as the rows of small integers see it: x' = step (128 high + low), with x' near x.
struct BoundToken {
    const std::int8_t* high = nullptr; ///< [depth], in [-128, 127]
    const std::int8_t* low = nullptr;  ///< [depth], in [0, 127]
    double step = 0;
    double offset = 0;   ///< what stored values have added, times the sum of 128 high + low
    double dither = 0;   ///< d . x' of rows s (q - d); 0 without a dither
    double norm = 0;     ///< at least |x|
    double error = 0;    ///< at least |x - x'|
    double rounding = 0; ///< relative to |bias|
    double least = 0;    ///< absolute: what is lost to underflow
};

/// Of each row: z' = scale (step sum - dither) + bias, |z - z'| <= spread norm + length error + rounding |bias| + least.
struct BoundRows {
    const float *scale = nullptr, *bias = nullptr, *spread = nullptr, *length = nullptr;
};

struct BoundTable {
    const char* name;
    std::int64_t fewTokens; ///< tokens that sum...() takes at most
    /// sums[t * stride + j] = sum_p stored(p, j) high(p), sums[t * stride + 32 + j] the same of low, for the 32 rows of a stripe:
    /// stored(p, j) = stripe[(p / 4 * 32 + j) * 4 + p % 4], unsigned; depth is a multiple of 8.
    void (*sumBytes)(const std::uint8_t* stripe, std::int64_t depth, const BoundToken* tokens, std::int64_t count, std::int32_t* sums, std::int64_t stride);
    /// Half bytes: stored(p, j) is the lower half of stripe[(p / 8 * 32 + j) * 4 + p % 4] for p % 8 < 4, else the upper half.
    void (*sumNibbles)(const std::uint8_t* stripe, std::int64_t depth, const BoundToken* tokens, std::int64_t count, std::int32_t* sums, std::int64_t stride);
    /// Both bounds of `count` rows (a multiple of 32; sums of stripe after stripe, 64 each), rounded outwards. Places where upper is not
    /// below `limit` go to `survivors`, their number is returned; *outside becomes the maximum of itself and the other uppers.
    std::int64_t (*bound)(const BoundToken* token, const BoundRows* rows, const std::int32_t* sums, std::int64_t count, float limit, float* lower, float* upper,
                          std::int32_t* survivors, float* outside);
};

const BoundTable& avx2Bounds() noexcept;       ///< multiply-adds of 16-bit integers
const BoundTable& avxVnniBounds() noexcept;    ///< call only where hasAvxVnni()
bool hasAvxVnni() noexcept;                    ///< of the processor; compilers before clang 15 do not know its name
const BoundTable& avx512VnniBounds() noexcept; ///< call only where it has AVX-512 F, BW, DQ, VL and VNNI
const BoundTable& bounds() noexcept;           ///< the best of this machine; AVX2's after forcePortableKernels(true)

} // namespace tamis::kernels
