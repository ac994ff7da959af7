// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/lowrank/method.h"

namespace tamis::lowrank {

/// lowrank.dobi: docs/methods/lowrank.dobi.md.
Method dobiMethod();

} // namespace tamis::lowrank
