// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which tokens have changed: each against the reference that is kept of it (Dutson, Li, Gupta, "Eventful Transformers", ICCV 2023, section 4.1).
#include "core/base/parameter_schema.h"
#include "core/kernels/packed_matrix.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::reuse {

enum class GatePolicy { Threshold, TopR, Fraction };

struct GateSettings {
    GatePolicy policy = GatePolicy::Threshold;
    double threshold = 0.1; ///< of the relative error
    std::int64_t r = 64;
    double fraction = 0.25; ///< of the tokens
};

/// policy, threshold, r and fraction, as every gate declares them.
std::vector<ParameterSpec> gateParameters(double threshold);
GateSettings gateSettings(const Parameters& parameters);

/// errors[i] = |current_i - reference_i| / root mean square over i of |reference_i|: 2-norms of rows, sums in double. Where the references are all zero the
/// errors are not divided.
void relativeErrors(kernels::ConstRows current, kernels::ConstRows reference, std::span<float> errors);
/// Its multiply-adds: a squared difference and a squared reference each feature.
constexpr double relativeErrorMacs(std::int64_t rows, std::int64_t features) noexcept { return 2 * static_cast<double>(rows * features); }

/// Indices of the tokens to compute, ascending: errors above the threshold, or as many of the largest as the policy says (of equal errors the lower index
/// first). None where all errors are 0. What is no number counts as the largest.
std::vector<std::int32_t> gated(std::span<const float> errors, const GateSettings& settings);

} // namespace tamis::reuse
