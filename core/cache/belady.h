// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a policy that knows the future does: a limit, not a policy. Source: Belady 1966, MIN.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.belady.
Method beladyMethod();
/// id cache.belady-size.
Method beladySizeMethod();

} // namespace tamis::cache
