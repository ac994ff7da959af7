// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Symmetric tridiagonal problems: reduction to, eigenvalues of, and divide and conquer on. Private to linalg.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <vector>

namespace tamis::linalg {

struct Tridiagonal {
    std::vector<double> diagonal;    ///< [n]
    std::vector<double> offDiagonal; ///< [n - 1] (one element when n is 1, unused)
    std::vector<double> tau;         ///< of the reflectors, [n - 1]; empty when they were not kept
};

/// Q^T A Q = T for the upper triangle of row-major `a` (LAPACK's column-major lower). The reflectors of Q are left in `a`:
/// vector j in row j from column j + 1 on. Panels of 32 as LAPACK's dlatrd, the products with the trailing matrix tiled.
Tridiagonal reduceToTridiagonal(tensor::MatrixView<double> a, const RunContext& context);

/// The same for eigenvalues only: no reflectors, `a` is workspace.
Tridiagonal reduceForValues(tensor::MatrixView<double> a, const RunContext& context);

/// Eigenvalues, ascending, of a tridiagonal matrix (Pal-Walker-Kahan QL/QR, LAPACK dsterf).
std::vector<double> tridiagonalEigenvalues(Tridiagonal matrix, const RunContext& context);

/// Eigenvalues, ascending, and vectors: `vectors` row-major [n, n], row i belongs to value i. Divide and conquer after
/// Cuppen, Gu and Eisenstat, with LAPACK's deflation (dlaed2) and secular equation (dlaed4), the merges tiled.
std::vector<double> divideAndConquer(Tridiagonal matrix, tensor::MatrixView<double> vectors, const RunContext& context);

} // namespace tamis::linalg
