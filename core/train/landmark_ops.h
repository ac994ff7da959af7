// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Attention by way of landmarks on the tape: products with an iterated pseudo-inverse.
#include "core/train/tape.h"

#include <cstdint>

namespace tamis::train {

struct LandmarkShape {
    std::int64_t sequences = 1, heads = 1;
    int iterations = 6;
};

/// Z X for each sequence and head: a [s m, heads m], x [s m, heads e] -> [s m, heads e], Z the pseudo-inverse of the head's square A after so many steps
/// Z <- Z (13 I - A Z (15 I - A Z (7 I - A Z))) / 4 from A^T / (|A|_1 |A|_inf) (Xiong et al. 2021, Nystromformer). The gradient is that of the steps
/// that were taken, the start's norms included (where several rows or columns are largest: through the first). Every Z is kept: (iterations + 1) m^2
/// numbers a head. a and x are different variables.
template <class T> Variable<T> landmarkProducts(Variable<T> a, Variable<T> x, const LandmarkShape& shape);

} // namespace tamis::train
