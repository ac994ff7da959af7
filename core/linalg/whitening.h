// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Square roots of calibration statistics: C = S S^T with S [n, k].
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace tamis::linalg {

/// Directions of C that count: eigenvalues above 1e-12 of the largest.
inline constexpr double kRankTolerance = 1e-12;

struct GramCondition {
    std::int64_t rank = 0;  ///< eigenvalues above kRankTolerance of the largest
    double condition = 0;   ///< largest over smallest eigenvalue; infinity when the smallest is not positive
    double meanDiagonal = 0;
};

/// C [n, n] symmetric, positive semi-definite up to rounding.
GramCondition gramCondition(const tensor::Matrix<double>& c, const RunContext& context = {});
GramCondition gramCondition(const std::vector<double>& eigenvaluesDescending, double meanDiagonal);
double meanDiagonal(const tensor::Matrix<double>& c);

/// C with `value` added to its diagonal.
tensor::Matrix<double> withRidge(tensor::Matrix<double> c, double value);

/// Lower-triangular L with C = L L^T, or nothing when C is not numerically positive definite (a pivot is not above
/// n eps times its own diagonal entry).
std::optional<tensor::Matrix<double>> choleskyRoot(tensor::Matrix<double> c, const RunContext& context = {});

/// S = Q sqrt(Lambda) [n, k] over the k directions that count: C = S S^T also for singular C (pseudo-inverse semantics).
tensor::Matrix<double> eigenRoot(tensor::Matrix<double> c, const RunContext& context = {});

} // namespace tamis::linalg
