// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the factors of all ranks of one matrix share. Immutable once made.
#include "core/lowrank/method.h"
#include "core/lowrank/preconditioner.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tamis::lowrank {

/// Directions of W [m, n] in the order of a preconditioner, p = min(m, n). The rank-r factors are slices: B = the first r
/// rows of `left`, transposed; A = the first r rows of `right`.
struct Decomposition {
    std::int64_t rows = 0, cols = 0;
    std::uint64_t tokens = 0; ///< behind the calibration gram
    PreconditionerSettings settings;
    tensor::Matrix<double> left;   ///< [p, m]: row i is u_i (times 1/g with output scales)
    tensor::Matrix<double> right;  ///< [p, n]: row i is u_i^T W (u_i^T diag(g) W with output scales)
    std::vector<double> singular;  ///< [p] of W P, descending
    std::vector<double> loss;      ///< [p + 1]: |(W - B_r A_r) X|^2 under the calibration gram, without ridge
    std::vector<double> heldOut;   ///< [p + 1] on the held-out rows; empty without them
    std::vector<double> minimum;   ///< [p + 1]: the least that any factors of rank r lose under the calibration gram
    std::vector<std::string> warnings;

    std::int64_t size() const noexcept { return left.rows(); } ///< p
    double energy() const { return loss.front(); }
    double heldOutEnergy() const { return heldOut.empty() ? report::kNotMeasured : heldOut.front(); }
    std::uint64_t bytes() const noexcept;
};

struct Factors {
    tensor::Matrix<double> b; ///< [m, r]
    tensor::Matrix<double> a; ///< [r, n]
};
/// B orthonormal (without output scales): all of the singular values are in A. Throws Error{InvalidParameter} for a rank beyond p.
Factors factorsOf(const Decomposition& decomposition, std::int64_t rank);

/// `w` [m, n]; n and, where it has gradients, m as the site has them (Error{InvalidParameter}). Throws Error{NonFinite} for
/// weights that are not finite, and what the preconditioner throws. Memory: three times m n, n^2 and p^2 doubles.
Decomposition decompose(const tensor::Matrix<double>& w, const io::CalibrationSite& site, const PreconditionerSettings& settings, const RunContext& context = {});

/// The decomposition of a matrix of `inputs` from the shared cache, made when it is not there. Throws as decompose(), and
/// Error{InvalidParameter} without a calibration set or a site of that name.
std::shared_ptr<const Decomposition> decompositionOf(const Inputs& inputs, const io::MatrixRef& matrix, const PreconditionerSettings& settings,
                                                     const RunContext& context = {});

} // namespace tamis::lowrank
