// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Sums of a run over its frames.
#include "core/report/reuse_report.h"

namespace tamis::reuse {

/// Fills shares, means, agreement, drift and the count of whole frames from run.frames; all finite but where nothing was measured.
void sumUp(report::ReuseRun& run);

/// Error in the last quarter of the stretches between whole frames over that in the first quarter: stretches of four frames and more, quarters rounded down but
/// one frame at least, errors summed over all stretches. 1 where both are 0; not measured without such a stretch, or where the first is 0 alone.
double driftOf(const std::vector<report::FrameResult>& frames);

} // namespace tamis::reuse
