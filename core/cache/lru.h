// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Least and most recently used.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.lru.
Method lruMethod();
/// id cache.mru.
Method mruMethod();

} // namespace tamis::cache
