// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// hierarchy.levels: up to three levels of caches, and recomputing behind them.
#include "core/hierarchy/method.h"

namespace tamis::hierarchy {

Method levelsMethod();

} // namespace tamis::hierarchy
