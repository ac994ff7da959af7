// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Three queues: a small one, a main one, a ghost. Source: Yang et al. 2023, FIFO queues are all you need, and the authors' code.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.s3-fifo.
Method s3FifoMethod();

} // namespace tamis::cache
