// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The recency sum times an importance that is fitted: hits that an object is expected to get while it stays, linear in what is known as it comes in
// (requests so far, gap, size, cost), by recursive least squares on the hits that those got which have left.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.hit-weights.
Method hitWeightsMethod();

} // namespace tamis::cache
