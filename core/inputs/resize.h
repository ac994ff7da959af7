// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Resizing as Pillow does it, bit for bit: a separable convolution whose kernel grows with the reduction (so it is
// antialiased), rows first, an 8-bit picture between the passes, weights in fixed point with 22 fractional bits.
// Reference: Pillow 9.4, src/libImaging/Resample.c and Geometry.c (nearest).
#include "core/inputs/image.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace tamis::inputs {

enum class Interpolation { Nearest, Box, Bilinear, Hamming, Bicubic, Lanczos };

std::string_view interpolationName(Interpolation interpolation) noexcept; ///< "bicubic" ...
std::optional<Interpolation> parseInterpolation(std::string_view name) noexcept;

/// `image` at width x height pixels; a picture that has that size already is returned as it is. Runs on one thread.
/// Throws as checkImage() and blankImage().
Image resized(const Image& image, std::int64_t width, std::int64_t height, Interpolation interpolation);

} // namespace tamis::inputs
