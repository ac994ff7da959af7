// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Smooth truncation of activations, sample by sample (Dobi-SVD): what a linear layer's output keeps when its singular values go
// through gates.
#include "core/train/tape.h"

#include <cstdint>
#include <vector>

namespace tamis::train {

enum class TruncationGradient {
    Exact,     ///< through the decomposition
    Projection ///< the right singular vectors taken for constants: y = x V diag(g) V^T
};

/// The thin singular value decomposition of a block of rows, in double, without what is below 3e-7 of the largest value.
struct RowSpace {
    tensor::Matrix<double> u, v; ///< [p, rows], [p, cols]: row i is a unit vector, the sign of a pair is free
    std::vector<double> s;       ///< [p], descending
};
/// From the eigenvectors of the smaller side's Gram matrix. Throws Error{NonFinite}.
RowSpace rowSpace(View<const double> x);

/// y = U diag(gates s) V^T of each sample, x = U diag(s) V^T its rows: x [samples rowsPerSample, d], gates [1, at least
/// min(rowsPerSample, d)], of which each sample uses the first. Throws Error{NonFinite, LimitExceeded (a smaller side beyond 2048)}.
///
/// The exact way back, with M = U^T G V and E_ij = 1 / (s_j^2 - s_i^2):
///   dx = U D V^T + (I - U U^T) G V diag(g) V^T + U diag(g) U^T G (I - V V^T),
///   D_ij = M_ij (g_j s_j^2 - g_i s_i^2) E_ij + M_ji s_i s_j (g_j - g_i) E_ij,  D_ii = g_i M_ii,  d gate_i = s_i M_ii.
/// Between nearly equal values (closer than `gap` of the larger square; 0: 1e-10 in double, 1e-5 in float) E is the series
/// of svd_op.h; equal gates then still give the exact gradient. Vanishing values need no care: nothing is divided by one.
template <class T>
Variable<T> truncateRows(Variable<T> x, Variable<T> gates, std::int64_t rowsPerSample, TruncationGradient gradient = TruncationGradient::Exact, double gap = 0);

/// y = x V diag(g) V^T with a V [p, d] of each sample given, which must stay until the tape's reset(); gates [1, at least the
/// largest p]. Linear in x and in the gates.
template <class T> Variable<T> projectRows(Variable<T> x, Variable<T> gates, const std::vector<View<const T>>& bases);

} // namespace tamis::train
