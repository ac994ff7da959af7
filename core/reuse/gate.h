// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/reuse/method.h"

namespace tamis::reuse {

/// reuse.gate: patches whose embedding has changed go through all blocks and attend to the kept keys and values of the others.
Method gateMethod();

} // namespace tamis::reuse
