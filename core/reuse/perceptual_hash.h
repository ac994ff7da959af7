// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Keys of 64 bits from pixels: pictures that look alike differ in few of them.
#include "core/kernels/packed_matrix.h"

#include <cstdint>

namespace tamis::reuse {

/// The picture as rows x cols means over areas, in double.
tensor::Matrix<double> areaMeans(kernels::ConstRows grey, std::int64_t rows, std::int64_t cols);

/// Its multiply-adds: a pixel counts in every mean that it has a share of.
double areaMeansMacs(std::int64_t fromRows, std::int64_t fromCols, std::int64_t rows, std::int64_t cols) noexcept;

/// dHash: of 8 x 9 means, whether each is below its right neighbour; bit 8 row + column.
std::uint64_t differenceHash(kernels::ConstRows grey);
/// pHash: of the 8 x 8 lowest coefficients of the DCT-II of 32 x 32 means, whether each is above their median, which is taken without the mean's; bit 8 row + column.
std::uint64_t cosineHash(kernels::ConstRows grey);
// Multiply-adds of the two, of a picture of rows x cols; a comparison counts as one. The median of 63 counts as 63.
double differenceHashMacs(std::int64_t rows, std::int64_t cols) noexcept;
double cosineHashMacs(std::int64_t rows, std::int64_t cols) noexcept;

int hammingDistance(std::uint64_t a, std::uint64_t b) noexcept;

} // namespace tamis::reuse
