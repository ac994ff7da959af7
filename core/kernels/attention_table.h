// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The innermost loops of attention, compiled once for each instruction set (attention_avx2.cpp, attention_avx512.cpp) and chosen at run time
// together with the table of kernel_table.h.
#include <cstdint>

namespace tamis::kernels {

inline constexpr std::int64_t kAttentionPanel = 32; ///< keys, or features of values, side by side
inline constexpr std::int64_t kAttentionRows = 14;  ///< queries a register tile takes at most

struct AttentionTable {
    const char* name;
    /// c[rows, 32] (+)= a[rows, depth] b[depth, 32], rows <= kAttentionRows; b has 32 floats a row. One fused multiply-add a term, from the
    /// first to the last: a row's bits do not depend on the other rows.
    void (*product)(const float* a, std::int64_t lda, const float* b, std::int64_t depth, float* c, std::int64_t ldc, std::int64_t rows, bool accumulate);
    /// panel[p * 32 + j] = rows[j * stride + p] for p < depth, j < count <= 32; zero for the other j.
    void (*packKeys)(const float* rows, std::int64_t stride, std::int64_t depth, std::int64_t count, float* panel);
    /// panel[j * 32 + p] = rows[j * stride + p] for j < count, p < width <= 32; zero for the other p. Returns whether all are finite.
    bool (*packValues)(const float* rows, std::int64_t stride, std::int64_t width, std::int64_t count, float* panel);
    /// values = 2^(values - shift), 0 for minus infinity, and their sum. Arguments at most 0; no number stays none. `count` is a multiple of 32.
    float (*exponentials)(float* values, float shift, std::int64_t count);
    /// Codes = 255 2^(values - shift) rounded, half up, and their sum; -1 where one of the values is no number.
    std::int32_t (*exponentialCodes)(const float* values, float shift, std::int64_t count, std::uint8_t* codes);
    /// The greatest that is a number, at least minus infinity; may be no number where one of them is none. `count` is a multiple of 32.
    float (*maximum)(const float* values, std::int64_t count);
    /// values += factor * bias.
    void (*addScaled)(const float* bias, float factor, float* values, std::int64_t count);
    /// to = from * factor.
    void (*scale)(const float* from, float factor, float* to, std::int64_t count);
};

const AttentionTable& avx2Attention() noexcept;
const AttentionTable& avx512Attention() noexcept; ///< call only where kernels() is the AVX-512 table
const AttentionTable& attentionLoops() noexcept;  ///< of the instruction set that kernels() runs on

} // namespace tamis::kernels
