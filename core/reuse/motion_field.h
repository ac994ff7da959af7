// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Where the pixels of a frame were in an earlier one, and what the earlier one looks like moved there.
#include "core/base/run_context.h"
#include "core/kernels/packed_matrix.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <vector>

namespace tamis::reuse {

using Plane = tensor::Matrix<float>;          ///< grey levels, [height, width]
using ConstPlane = kernels::ConstRows;

/// What is at (x, y) now was at (x + dx, y + dy), in pixels.
struct MotionField {
    Plane dx, dy; ///< [height, width]
};

struct Displacement {
    float dx = 0, dy = 0; ///< pixels, as in MotionField
    float error = 0;      ///< mean absolute difference of the block, grey levels
};

/// Grey level at (x, y) between pixel centres, bilinear; coordinates beyond the border are brought to it.
float sampled(ConstPlane plane, float x, float y) noexcept;

/// Every patch's displacement for all of its pixels. Throws Error{Cancelled}.
MotionField spread(const std::vector<Displacement>& patches, std::int64_t gridRows, std::int64_t gridColumns, std::int64_t height, std::int64_t width, const RunContext& context = {});
/// Mean displacement of each patch, [gridRows * gridColumns]; `error` is the mean absolute difference between the patch and what is found where its pixels were.
/// A pixel that was outside by more than half a pixel counts as 255. Throws Error{Cancelled}.
std::vector<Displacement> patchMotion(const MotionField& field, ConstPlane current, ConstPlane before, std::int64_t gridRows, std::int64_t gridColumns, const RunContext& context = {});
/// Multiply-adds of patchMotion() a pixel: three for a bilinear sample, one for the difference, two for the means of the displacement.
inline constexpr double kPatchMotionMacs = 6;

} // namespace tamis::reuse
