// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// LRU-K whose K follows the requests: small caches, one for each K, see a sample of the objects (mini-simulation, Waldspurger et al. 2017), and K
// changes where another one has gained enough.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.adaptive-lru-k.
Method adaptiveLruKMethod();

} // namespace tamis::cache
