// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The innermost loops, compiled once for each instruction set (kernels_avx2.cpp, kernels_avx512.cpp) and chosen at run time.
#include "core/kernels/activation.h"

#include <cstdint>

namespace tamis::kernels {

inline constexpr std::int64_t kPanelWidth = 32;    ///< outputs in a panel of packed weights
inline constexpr std::int64_t kTileRows = 14;      ///< tokens a register tile takes at most
inline constexpr std::int64_t kTileDepth = 256;    ///< inputs taken at a time: a tile of tokens stays in the first-level cache
inline constexpr std::int64_t kTileStride = 272;   ///< floats from token to token of a tile; not a multiple of 1024

struct KernelTable {
    const char* name;
    /// c[rows, 32] (+)= a[rows, depth] b[depth, 32]: a has stride kTileStride, b 32 floats a row, rows <= kTileRows,
    /// depth <= kTileDepth; c has stride ldc.
    void (*tile)(const float* a, const float* b, std::int64_t depth, float* c, std::int64_t ldc, std::int64_t rows, bool accumulate);
    void (*activate)(Activation activation, float* values, std::int64_t count);
    void (*layerNormRow)(const float* x, const float* weight, const float* bias, float epsilon, float* y, std::int64_t count);
    void (*rmsNormRow)(const float* x, const float* weight, float epsilon, float* y, std::int64_t count);
    /// values = exp(values - shift); returns their sum.
    float (*exponential)(float* values, float shift, std::int64_t count);
    float (*maximum)(const float* values, std::int64_t count);
    /// dst = src * factor.
    void (*scaleCopy)(const float* src, float factor, float* dst, std::int64_t count);
    /// y += x.
    void (*add)(const float* x, float* y, std::int64_t count);
    /// y = base + scale * (activation(c + bias) * factor); any pointer but c and y may be null; c is overwritten.
    void (*epilogueRow)(float* c, const float* bias, Activation activation, const float* factor, const float* scale,
                        const float* base, float* y, std::int64_t count);
    /// panel[p * 32 + j] = rows[j * stride + p] for p < depth, j < count <= 32; the rest of the panel is zero.
    void (*packTransposed)(const float* rows, std::int64_t stride, std::int64_t depth, std::int64_t count, float* panel);
    /// panel[p * 32 + j] = columnScale[p] * rowScale[j] * stored[p * 32 + j] for p < depth, j < 32.
    void (*decodeBytes)(const std::int8_t* stored, const float* rowScale, const float* columnScale, std::int64_t depth, float* panel);
    /// The same from half floats, given by their bits.
    void (*decodeHalves)(const std::uint16_t* stored, const float* rowScale, const float* columnScale, std::int64_t depth, float* panel);
};

const KernelTable& avx2Kernels() noexcept;
const KernelTable& avx512Kernels() noexcept; ///< call only where the processor has AVX-512 F, BW, DQ and VL
const KernelTable& kernels() noexcept;       ///< the best that this machine runs

} // namespace tamis::kernels
