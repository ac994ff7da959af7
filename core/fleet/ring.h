// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Devices that divide the keys among themselves: load, replicas, hot keys, and what it costs that one leaves.
#include "core/fleet/method.h"

namespace tamis::fleet {

/// id fleet.ring.
Method ringMethod();

} // namespace tamis::fleet
