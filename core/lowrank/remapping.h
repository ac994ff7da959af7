// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Dobi-SVD's remapping: factors whose 8-bit part lies beside the 16-bit rest. docs/methods/remapped.md.
#include "core/base/run_context.h"
#include "core/nn/linear_op.h"
#include "core/tensor/matrix.h"

#include <vector>

namespace tamis::lowrank {

struct Remapping {
    nn::LinearPtr op;       ///< kind "remapped"
    double error = 0;       ///< |B A - W'|_2, W' what the operator multiplies by: measured
    double errorBound = 0;  ///< what it cannot exceed, from the steps of the numbers stored alone
};

/// b [m, r], a [r, n], r <= min(m, n): B A = U S V^T is rounded as nn::remapFactors() does, U and V being orthonormal. The error is
/// measured by the eigenvalues of the smaller Gram matrix up to a side of 1024, by power iteration (from below) beyond.
/// Throws Error{InvalidParameter} for shapes, Error{NonFinite}, Error{Cancelled}.
Remapping remap(const tensor::Matrix<double>& b, const tensor::Matrix<double>& a, std::vector<float> bias, const RunContext& context = {});

} // namespace tamis::lowrank
