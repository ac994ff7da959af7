// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A queue for newcomers, a ghost list, and a least-recently-used list for what came back. Source: Johnson, Shasha 1994, full version.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.two-q.
Method twoQMethod();

} // namespace tamis::cache
