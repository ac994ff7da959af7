// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/lowrank/method.h"

namespace tamis::lowrank {

/// lowrank.distilled: docs/methods/lowrank.distilled.md.
Method distilledMethod();

} // namespace tamis::lowrank
