// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/train/tape.h"

namespace tamis::train {

/// x = u diag(s) v^T, p = min(rows, cols): u [rows, p], s [1, p] descending, v [cols, p] (columns are singular vectors).
template <class T> struct Svd {
    Variable<T> u, s, v;
};

/// The smaller side may be 512 at most (Error{LimitExceeded}). Computed in double. The sign of each pair of vectors is
/// fixed: the element of u of largest magnitude is positive.
///
/// The way back (Townsend 2016; full, with gradients of u, s and v) needs 1 / (s_j^2 - s_i^2) and 1 / s_j. Where the squares differ
/// by more than `gap` of the larger it is exact. Nearer than that the quotient is replaced by the finite series
/// 1 / s^2 sum_{k <= 10} q^2k, q the smaller over the larger (Dobi-SVD's form, with a relative threshold), zero when the
/// two are equal to the last place: gradients stay finite. 1 / s_j is taken with s_j no less than gap s_1.
/// Gradients of vectors of equal singular values have no meaning; those of functions of u diag(f(s)) v^T stay bounded.
/// gap 0: 1e-10 in double, 1e-5 in float. Throws Error{NonFinite} for values that are no numbers.
template <class T> Svd<T> svd(Variable<T> x, double gap = 0);

} // namespace tamis::train
