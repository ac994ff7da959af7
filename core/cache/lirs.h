// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Inter-reference recency. Source: Jiang, Zhang 2002, LIRS; sizes, and the bound of the stack at twice the cache, as in libCacheSim.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.lirs.
Method lirsMethod();

} // namespace tamis::cache
