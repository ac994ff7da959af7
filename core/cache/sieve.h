// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A queue with a hand that moves through it. Source: Zhang et al. 2024, SIEVE.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.sieve.
Method sieveMethod();

} // namespace tamis::cache
