// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/lowrank/method.h"

namespace tamis::lowrank {

/// lowrank.joint-ud: docs/methods/lowrank.joint-ud.md.
Method jointUdMethod();

} // namespace tamis::lowrank
