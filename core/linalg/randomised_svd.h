// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Randomised range finder for previews (Halko, Martinsson, Tropp 2011, algorithms 4.4 and 5.3).
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace tamis::linalg {

struct RandomisedOptions {
    std::int64_t rank = 64;
    std::int64_t oversampling = 10;
    int powerIterations = 2;
    std::uint64_t seed = 1;
};

/// Leading eigenpairs of a positive semi-definite operator K = A A^T [p, p].
struct RandomisedEigen {
    std::vector<double> values;     ///< [k], k <= rank, descending: squares of the leading singular values of A, from below
    tensor::Matrix<double> vectors; ///< [k, p], orthonormal rows
    /// Bound on |A - Q Q^T A|_2 for the range found (rank + oversampling directions): holds with probability
    /// 1 - 1e-10 (Halko et al. lemma 4.1 on the residual of K with ten random vectors).
    double residualNorm = 0;
};

/// `apply` returns K x for x [p, j]. Deterministic for a seed.
using PsdOperator = std::function<tensor::Matrix<double>(tensor::MatrixView<const double>)>;
RandomisedEigen randomisedEigen(std::int64_t p, const PsdOperator& apply, const RandomisedOptions& options,
                                const RunContext& context = {});

} // namespace tamis::linalg
