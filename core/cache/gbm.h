// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Boosted trees of reuse within a horizon on recency, frequency, gaps, size and decayed counters. Source: Song, Berger, Li, Lloyd 2020, LRB.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.gbm.
Method gbmMethod();

} // namespace tamis::cache
