// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// By the K-th last request. Source: O'Neil, O'Neil, Weikum 1993, LRU-K, with the correlated reference period and the retained history.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.lru-k.
Method lruKMethod();

} // namespace tamis::cache
