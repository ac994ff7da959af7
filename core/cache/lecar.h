// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Two experts and their regret. Source: Vietri et al. 2018, Driving cache replacement with ML-based LeCaR (HotStorage), with the constants of its
// authors' program (github.com/sylab/LeCaR, code/alg/lecar.py): learning rate 0.45, discount 0.005^(1/N), histories of N objects each, weights kept
// within 0.01 .. 0.99.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.lecar.
Method leCaRMethod();

} // namespace tamis::cache
