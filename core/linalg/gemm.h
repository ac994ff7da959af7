// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Products cut into fixed tiles: one task a tile, inner dimension in fixed order, so that results do not depend on the
// number of threads. A stop is seen between tiles (a few milliseconds each); then Error{Cancelled} is thrown.
// Shapes that do not agree throw Error{InvalidParameter}.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

namespace tamis::linalg {

using ConstView = tensor::MatrixView<const double>;
using View = tensor::MatrixView<double>;

enum class Op { None, Transpose };

/// c = alpha op(a) op(b) + beta c. With beta == 0, c is not read. c must not overlap a or b.
void gemm(Op opA, Op opB, double alpha, ConstView a, ConstView b, double beta, View c, const RunContext& context = {});

/// op(a) op(b), a new matrix.
tensor::Matrix<double> product(Op opA, Op opB, ConstView a, ConstView b, const RunContext& context = {});
inline tensor::Matrix<double> product(ConstView a, ConstView b, const RunContext& context = {})
{
    return product(Op::None, Op::None, a, b, context);
}

/// Which side of a matrix [m, n] a Gram matrix is of.
enum class Side { Rows, Columns };

/// a a^T [m, m] (Rows) or a^T a [n, n] (Columns), accumulated in double whatever the element type: products of floats
/// are exact in double. Both triangles are filled.
tensor::Matrix<double> gram(tensor::MatrixView<const float> a, Side side, const RunContext& context = {});
tensor::Matrix<double> gram(ConstView a, Side side, const RunContext& context = {});

/// The same, upper triangle (j >= i) only: what the symmetric eigen-solvers read. The rest is zero.
tensor::Matrix<double> gramUpper(tensor::MatrixView<const float> a, Side side, const RunContext& context = {});
tensor::Matrix<double> gramUpper(ConstView a, Side side, const RunContext& context = {});

/// Copies the upper triangle onto the lower.
void mirrorUpper(View square);

tensor::Matrix<double> toDouble(tensor::MatrixView<const float> a);

/// Sum of squares, in double, in fixed order.
double squaredNorm(ConstView a);

} // namespace tamis::linalg
