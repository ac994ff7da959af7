// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A score of recency and importance: the sum of 1 / age over the last K requests, times what an object is worth. It is not LRU-K, whose name it is
// sometimes given: all K requests count, and the order changes as time goes by.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.importance-weighted.
Method importanceWeightedMethod();

} // namespace tamis::cache
