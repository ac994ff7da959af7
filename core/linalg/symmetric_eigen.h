// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Symmetric eigen-problems in double. Own blocked drivers over BLAS: unlike LAPACK's they see a stop within some 20 ms
// inside one large matrix, and use all threads for it. Results do not depend on the number of threads.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <vector>

namespace tamis::linalg {

/// Eigenvalues of a symmetric matrix [n, n] of which the upper triangle (j >= i) is read; descending. The matrix is used as
/// workspace. Absolute accuracy n eps |A|_2. Throws Error{NonFinite} when an element of the triangle is not finite,
/// Error{InvalidParameter} when not square, Error{LimitExceeded} for n > 32768, Error{Cancelled}.
std::vector<double> symmetricEigenvalues(tensor::Matrix<double> a, const RunContext& context = {});

struct SymmetricEigen {
    std::vector<double> values;     ///< [n], descending
    tensor::Matrix<double> vectors; ///< [n, n]: row i is the unit eigenvector of values[i]
};

/// The same with vectors. A vector's sign is fixed: its element of largest magnitude (the first of equals) is positive.
SymmetricEigen symmetricEigen(tensor::Matrix<double> a, const RunContext& context = {});

/// Peak bytes of the two, for memory estimates, the argument included.
std::uint64_t symmetricEigenvaluesBytes(std::int64_t n) noexcept;
std::uint64_t symmetricEigenBytes(std::int64_t n) noexcept;

/// Multiply-adds of the two, for progress weights.
double symmetricEigenvaluesMacs(std::int64_t n) noexcept;
double symmetricEigenMacs(std::int64_t n) noexcept;

} // namespace tamis::linalg
