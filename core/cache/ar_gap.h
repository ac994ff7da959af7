// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The next request predicted from the last gaps between requests: autoregression of their logarithms, fitted while running by recursive least squares,
// one model for each number of gaps known (0 to 3). Who is predicted the farthest away leaves, of a sample.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.ar-gap.
Method arGapMethod();

} // namespace tamis::cache
