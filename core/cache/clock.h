// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A queue whose members may go round again. Source: Corbato 1968; counters of n bits as in libCacheSim.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.clock.
Method clockMethod();

} // namespace tamis::cache
