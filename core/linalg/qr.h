// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Householder QR by panels, tiled over the trailing columns; sees a stop between tiles.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <vector>

namespace tamis::linalg {

struct ThinQr {
    tensor::Matrix<double> q; ///< [m, n], orthonormal columns; they contain range(A) also when A is rank-deficient
    tensor::Matrix<double> r; ///< [n, n], upper triangular, zeros below
};

/// A = Q R for A [m, n], m >= n (Error{InvalidParameter} otherwise). Throws Error{NonFinite, Cancelled}.
ThinQr thinQr(tensor::MatrixView<const double> a, const RunContext& context = {});
/// Only R, without forming Q.
tensor::Matrix<double> thinQrTriangle(tensor::MatrixView<const double> a, const RunContext& context = {});

struct PivotedQr {
    tensor::Matrix<double> r;              ///< [min(m, n), n], upper trapezoidal
    std::vector<std::int64_t> permutation; ///< column j of A P is column permutation[j] of A
    std::int64_t rank = 0;                 ///< diagonal entries above max(m, n) eps |r_00|
};

/// Column-pivoted QR (LAPACK's dgeqp3, driven panel by panel): |r_00| >= |r_11| >= ... Throws Error{NonFinite, Cancelled}.
PivotedQr pivotedQr(tensor::MatrixView<const double> a, const RunContext& context = {});

} // namespace tamis::linalg
