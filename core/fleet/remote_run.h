// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A model's features through a real store: photos are encoded where the store has nothing, and fetched where it has.
#include "core/fleet/method.h"

namespace tamis::fleet {

/// id fleet.remote.
Method remoteMethod();

} // namespace tamis::fleet
