// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Division by a Cholesky root without forming its inverse. Blocked: small solves on the diagonal, tiled products for the rest,
// so that a stop is seen within some 20 ms and results do not depend on the number of threads.
#include "core/linalg/gemm.h"

namespace tamis::linalg {

/// x [n, k] <- op(L)^{-1} x for lower-triangular l [n, n] with a diagonal without zeros; what stands above the diagonal is not
/// read. Throws Error{InvalidParameter} when the sides disagree, Error{Cancelled}.
void solveLeft(Op op, ConstView l, View x, const RunContext& context = {});

/// x [k, n] <- x op(L)^{-1}.
void solveRight(Op op, ConstView l, View x, const RunContext& context = {});

} // namespace tamis::linalg
