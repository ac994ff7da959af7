// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A logistic regression of reuse within a horizon on recency, frequency, gaps, size and decayed counters.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.logistic.
Method logisticMethod();

} // namespace tamis::cache
