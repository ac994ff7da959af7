// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <vector>

namespace tamis::linalg {

/// B A [m, n] rewritten with an identity block: B A = b' [I, coefficients] P, so that r^2 parameters and MACs vanish
/// (LatentLLM's junction; PIFA is the same on rows). Columns are chosen by column-pivoted QR of A, which keeps the
/// coefficients small.
struct BlockIdentity {
    tensor::Matrix<double> b;              ///< [m, r]
    tensor::Matrix<double> coefficients;   ///< [r, n - r]
    std::vector<std::int64_t> permutation; ///< [n]: input permutation[j] feeds column j of [I, coefficients]
    double condition = 0;      ///< of the chosen r x r block of A
    double maxCoefficient = 0; ///< largest |coefficient|
};

/// b [m, r], a [r, n], r <= n, a of full row rank (Error{InvalidParameter} otherwise).
BlockIdentity toBlockIdentity(const tensor::Matrix<double>& b, const tensor::Matrix<double>& a, const RunContext& context = {});

} // namespace tamis::linalg
