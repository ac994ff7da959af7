// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The innermost loops of scans over many rows, compiled once for each instruction set (scan_avx2.cpp, scan_avx512.cpp) and chosen
// at run time together with the table of kernel_table.h. Every loop that adds up floats does it from the first input to the last
// with one fused multiply-add each: all of them give the same bits on every instruction set.
#include <cstdint>

namespace tamis::kernels {

inline constexpr std::int64_t kScanTile = 14;  ///< tokens a register tile takes at most
inline constexpr std::int64_t kScanGroup = 16; ///< rows that rowDots takes at most

struct ScanTable {
    const char* name;
    std::int64_t fewTokens; ///< tokens that score...() takes at most
    /// scores[t * ldc + j] = sum_p x[t * stride + p] * panels[(j / 32 * depth + p) * 32 + j % 32] for j < 32 * panels, panels <= 2,
    /// t < tokens <= fewTokens.
    void (*scoreFloats)(const float* panels, std::int64_t count, std::int64_t depth, const float* x, std::int64_t stride, std::int64_t tokens, float* scores, std::int64_t ldc);
    /// The same from bfloat16, by their bits.
    void (*scoreHalves)(const std::uint16_t* panels, std::int64_t count, std::int64_t depth, const float* x, std::int64_t stride, std::int64_t tokens, float* scores, std::int64_t ldc);
    void (*scoreBytes)(const std::int8_t* panels, std::int64_t count, std::int64_t depth, const float* x, std::int64_t stride, std::int64_t tokens, float* scores, std::int64_t ldc);
    /// scores[t * ldc + j] (+)= sum_p tokens[p * rows + t] * panel[p * 32 + j] for t < rows <= kScanTile, j < 32. Meanwhile asks for what
    /// will be read next: `depth` times `step` bytes from `ahead`.
    void (*scoreTile)(const float* tokens, std::int64_t rows, const float* panel, std::int64_t depth, float* scores, std::int64_t ldc, bool accumulate, const void* ahead, std::int64_t step);
    /// floats = stored, exactly; count is a multiple of 32.
    void (*widenHalves)(const std::uint16_t* stored, std::int64_t count, float* floats);
    void (*widenBytes)(const std::int8_t* stored, std::int64_t count, float* floats);
    /// scores = scores * scale + bias with one rounding (scale may be null: 1); the places of those above `threshold` go to
    /// `survivors` in ascending order, their number is returned. `count` is a multiple of 32.
    std::int64_t (*finish)(float* scores, const float* scale, const float* bias, std::int64_t count, float threshold, std::int32_t* survivors);
    /// dots[r] = sum_p rows[r][p] x[p] for r < count <= kScanGroup, p < depth.
    void (*rowDots)(const float* const* rows, std::int64_t count, const float* x, std::int64_t depth, float* dots);
};

const ScanTable& avx2Scans() noexcept;
const ScanTable& avx512Scans() noexcept; ///< call only where kernels() is the AVX-512 table
const ScanTable& scans() noexcept;       ///< of the instruction set that kernels() runs on

} // namespace tamis::kernels
