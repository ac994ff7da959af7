// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/lowrank/method.h"

namespace tamis::lowrank {

/// lowrank.trained: docs/methods/lowrank.trained.md.
Method trainedMethod();

} // namespace tamis::lowrank
