// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <vector>

namespace tamis::linalg {

/// All min(m, n) singular values, descending: square roots of the eigenvalues of the Gram matrix of the smaller side, in
/// double. Absolute accuracy of the squares p eps s_1^2, so a singular value is good to about eps (s_1 / s)^2 relative:
/// 1e-8 at s = 1e-4 s_1. Squares below p eps s_1^2 cannot be told from zero and are returned as zero.
/// Throws Error{NonFinite, LimitExceeded, Cancelled}.
std::vector<double> singularValues(tensor::MatrixView<const float> a, const RunContext& context = {});
std::vector<double> singularValues(tensor::MatrixView<const double> a, const RunContext& context = {});

/// Their squares as the eigen-solver gives them, negative rounding clamped to zero, nothing else cut off.
std::vector<double> squaredSingularValues(tensor::MatrixView<const float> a, const RunContext& context = {});
std::vector<double> squaredSingularValues(tensor::MatrixView<const double> a, const RunContext& context = {});

/// Square roots with everything below p eps squares[0] returned as zero (see above).
std::vector<double> resolvedRoots(const std::vector<double>& squares);

} // namespace tamis::linalg
