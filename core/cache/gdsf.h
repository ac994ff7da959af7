// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Greedy dual size frequency. Source: Cherkasova 1998.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.gdsf.
Method gdsfMethod();

} // namespace tamis::cache
