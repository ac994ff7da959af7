// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/tokens/method.h"

#include <cstddef>
#include <vector>

namespace tamis::tokens {

/// The linearly interpolated quantile of values in any order: 0 the least, 1 the largest. Throws Error{InvalidParameter} for none.
double quantileOf(std::vector<double> values, double share);
/// How many of the rising `thresholds` lie below `complexity`: which size an image gets, 0 the smallest.
std::size_t sizeFor(double complexity, const std::vector<double>& thresholds);

/// tokens.resolution-routing: simple images run small, by their complexity or by how sure the smaller pass is.
Method resolutionRoutingMethod();

} // namespace tamis::tokens
