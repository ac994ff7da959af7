// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Requests per time since an object came in. Source: Blankstein, Sen, Freedman 2017, Hyperbolic caching: the worst of a sample leaves.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.hyperbolic.
Method hyperbolicMethod();

} // namespace tamis::cache
