// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The honest alternative to low rank at equal bytes: every weight rounded to the nearest of 2^bits levels.
#include "core/lowrank/method.h"
#include "core/tensor/matrix.h"

namespace tamis::lowrank {

/// Symmetric, one scale a row stored as float16 (its largest magnitude over 2^(bits-1) - 1), no calibration: w -> scale * code.
/// `bits` is 8 or 4 (Error{InvalidParameter} otherwise); w [m, n] finite.
tensor::Matrix<double> roundToNearest(const tensor::Matrix<double>& w, int bits);
/// Codes and scales of an [m, n] matrix: m n bits / 8 (rows padded to whole bytes) + 2 m.
std::uint64_t roundToNearestBytes(std::int64_t m, std::int64_t n, int bits) noexcept;

/// All targets of `inputs` (targets.h) rounded. They run as dense operators; bytes are those of codes and scales, MACs and
/// parameters stay.
Compression roundedModel(const Inputs& inputs, int bits, const RunContext& context);

} // namespace tamis::lowrank
