// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Symmetric rank-k update, tiled. Private to linalg.
#include "core/linalg/gemm.h"

namespace tamis::linalg {

/// Upper triangle of c += alpha a a^T (Rows) or alpha a^T a (Columns). Floats are widened block by block on the way.
void addGramUpper(double alpha, tensor::MatrixView<const float> a, Side side, View c, const RunContext& context);
void addGramUpper(double alpha, ConstView a, Side side, View c, const RunContext& context);

} // namespace tamis::linalg
