// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// First in, first out.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.fifo.
Method fifoMethod();

} // namespace tamis::cache
