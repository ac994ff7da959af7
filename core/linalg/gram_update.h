// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Symmetric rank-k update, tiled, in place: what gram() is made of, for sums over more rows than memory holds.
#include "core/linalg/gemm.h"

namespace tamis::linalg {

/// Upper triangle of c += alpha a a^T (Rows) or alpha a^T a (Columns); c is [n, n], the caller checks it. Floats are widened
/// block by block on the way. The order of the sums depends on the shapes alone, not on the number of threads.
void addGramUpper(double alpha, tensor::MatrixView<const float> a, Side side, View c, const RunContext& context);
void addGramUpper(double alpha, ConstView a, Side side, View c, const RunContext& context);

} // namespace tamis::linalg
