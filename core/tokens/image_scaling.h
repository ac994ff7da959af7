// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Images as models are fed them, at other sizes.
#include "core/base/run_context.h"
#include "core/nn/model_spec.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::tokens {

enum class Resampling {
    Area,     ///< the mean of the pixels that each new one covers
    Bilinear,
    Bicubic   ///< a = -0.5
};

struct PixelSize {
    std::int64_t height = 0, width = 0;
    bool operator==(const PixelSize&) const = default;
};

/// An image of whole patches: the model's size times `scale`, each side rounded to the nearest number of patches (halves up), one at least.
PixelSize wholePatches(const nn::PatchSpec& patch, double scale);

/// image [channels, from.height, from.width] at another size, as [channels, to.height, to.width]: a separable convolution whose kernel grows
/// with the reduction (antialiased), rows first, as inputs::resized and PyTorch's interpolate with antialias do, but in floats and not in
/// bytes. The image itself at its own size. Throws Error{InvalidParameter} for sizes below 1 or an image of another number of values,
/// Error{Cancelled} within a line.
std::vector<float> resampled(std::span<const float> image, std::int64_t channels, PixelSize from, PixelSize to, Resampling resampling, const RunContext& context = {});

} // namespace tamis::tokens
