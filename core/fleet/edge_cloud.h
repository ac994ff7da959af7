// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Device, edge and cloud: fetch what was computed before, or compute it again, whichever is faster.
#include "core/fleet/method.h"

namespace tamis::fleet {

/// One tier with `bytes` to fetch against `encodeSeconds` of computing again: time, and what would have to change for both to be alike.
report::TierFetch tierFetch(const report::LatencyLine& tier, double bytes, double encodeSeconds);

/// id fleet.edge-cloud.
Method edgeCloudMethod();

} // namespace tamis::fleet
