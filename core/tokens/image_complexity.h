// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// How much there is to see in an image as a model is fed it: entropy of its greys, strength of its edges. What takes a context throws Error{Cancelled} within a line.
#include "core/base/run_context.h"
#include "core/nn/model_spec.h"
#include "core/tensor/matrix.h"

#include <span>
#include <string_view>
#include <vector>

namespace tamis::tokens {

enum class Complexity {
    Entropy,     ///< of the grey histogram, as a share of the most that it can be: 0 to 1
    EdgeStrength, ///< mean of edgeStrength()
    EdgeShare    ///< part of the pixels with an edgeStrength() above kEdge: 0 to 1
};
std::vector<std::string_view> complexityNames(); ///< "entropy", "edge-strength", "edge-share": in the order of the enumerators
/// Throws Error{InvalidParameter}.
Complexity complexityNamed(std::string_view name);

/// Greys below and above count in the outermost of the bins: normalised photos lie within.
inline constexpr double kGreyRange = 3; ///< -3 to 3
inline constexpr int kGreyBins = 256;
inline constexpr double kEdge = 0.25;   ///< grey a pixel

/// Mean over the channels of an image [channels, height, width], [height, width]. Throws Error{InvalidParameter} for another size.
tensor::Matrix<float> greyOf(std::span<const float> image, const nn::PatchSpec& patch, const RunContext& context = {});
/// Bits, 0 to log2(kGreyBins). Sums in double.
double greyEntropy(std::span<const float> grey);
/// Length of the gradient by Sobel's operator, an eighth of its sums, so that a ramp of one grey a pixel has 1; edges are replicated.
tensor::Matrix<float> edgeStrength(tensor::MatrixView<const float> grey, const RunContext& context = {});
/// Of every patch of the grid the mean edge strength of its pixels, row by row.
std::vector<double> patchEdges(std::span<const float> image, const nn::PatchSpec& patch, const RunContext& context = {});

double complexityOf(Complexity measure, std::span<const float> image, const nn::PatchSpec& patch, const RunContext& context = {});

} // namespace tamis::tokens
