// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Private to train.

namespace tamis::train {

/// 1 / (b^2 - a^2) for singular values a, b >= 0, kept finite: see svd_op.h.
double inverseDifference(double a, double b, double gap);

} // namespace tamis::train
