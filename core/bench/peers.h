// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Other people's singular values, as a user would call them. Private to bench.
#include "core/tensor/matrix.h"

#include <vector>

namespace tamis::bench {

/// Eigen's BDCSVD in float, values only.
std::vector<double> eigenSingularValues(tensor::MatrixView<const float> a);

/// LAPACK's sgesdd, values only. `a` is overwritten. Row-major [m, n] is handed over as column-major [n, m]: no copy.
std::vector<double> lapackSingularValues(tensor::Matrix<float>& a);

/// LAPACK's dgesdd, values only: the reference for accuracy.
std::vector<double> referenceSingularValues(tensor::MatrixView<const float> a);

/// LAPACK's sgesdd with the leading min(m, n) singular vectors of both sides. `a` is overwritten.
struct SingularVectors {
    tensor::Matrix<float> left;  ///< [m, p]: columns
    std::vector<float> values;   ///< [p], descending
    tensor::Matrix<float> right; ///< [p, n]: rows
};
SingularVectors lapackSingularVectors(tensor::Matrix<float>& a);

} // namespace tamis::bench
