// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Device, edge and cloud: fetch what was computed before, or compute it again, whichever is faster.
#include "core/fleet/method.h"

namespace tamis::fleet {

/// One tier with `bytes` to fetch against `encodeSeconds` of computing again: time, and what would have to change for both to be alike.
report::TierFetch tierFetch(const report::LatencyLine& tier, double bytes, double encodeSeconds);

/// The lines of the tiers and the time of encoding as the settings say, without a trace: what break-even is drawn from. Throws
/// Error{InvalidParameter}.
report::EdgeCloudReport assumedTiers(const Parameters& given);

/// id fleet.edge-cloud.
Method edgeCloudMethod();

} // namespace tamis::fleet
