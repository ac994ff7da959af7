// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A window for newcomers, a segmented main part, and a count that decides who enters it. Source: Einziger, Friedman, Manes 2017; hill climbing:
// Einziger et al. 2018.
#include "core/cache/method.h"

namespace tamis::cache {

/// id cache.w-tinylfu.
Method wTinyLfuMethod();

} // namespace tamis::cache
