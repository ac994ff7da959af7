// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Any object may leave: the trivial baseline.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.random.
Method randomMethod();

} // namespace tamis::cache
