// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Least recently used, in segments that objects climb by hits. Source: Karedla et al. 1994; segments of equal size as in libCacheSim.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.slru.
Method slruMethod();

} // namespace tamis::cache
