// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Miss-ratio curves of a trace that is never held: read twice, piece by piece.
#include "core/cache/simulate.h"
#include "core/io/trace_reader.h"

#include <filesystem>

namespace tamis::cache {

/// As missRatioCurves(loadTrace(file, options), ...), to the hit, without keeping the requests: memory is 24 bytes an object and what every policy at every size keeps for
/// its objects, however long the trace. The first reading counts objects and bytes, the second feeds all caches at once, which share `context`'s threads. Without sizes: `count`
/// usual ones. Throws what reading throws, Error{InvalidParameter (an unknown policy, a size of 0, nothing behind the warm-up), UnsupportedFeature (samples, rules, a policy
/// that looks ahead), Cancelled}. A failure of one policy is in its curve.
report::CacheReport streamedCurves(const std::filesystem::path& file, const io::TraceOptions& options, const std::vector<Configuration>& configurations, CurveSettings settings,
                                   int count, const RunContext& context);

} // namespace tamis::cache
