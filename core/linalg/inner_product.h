// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/linalg/gemm.h"

namespace tamis::linalg {

/// Sum of a_ij b_ij over matrices of one shape: each row's sum in order, then the rows' in order.
double innerProduct(ConstView a, ConstView b);

} // namespace tamis::linalg
