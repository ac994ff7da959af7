// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Least frequently used. Source: LFU with constant time (Shah, Mitra, Matani 2010); ties by who came to its count first; counts may be halved.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.lfu.
Method lfuMethod();

} // namespace tamis::cache
