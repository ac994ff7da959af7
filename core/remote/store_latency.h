// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// How long putting and getting takes, by size, and the line through it that planning uses.
#include "core/remote/feature_store.h"
#include "core/report/fleet_report.h"

#include <vector>

namespace tamis::remote {

struct LatencySettings {
    std::vector<std::uint64_t> sizes{1024, 4096, 16384, 65536, 262144, 1048576}; ///< bytes of a tensor
    int rounds = 100;        ///< of each size; every tenth more goes before, not counted
    std::uint64_t seed = 0;  ///< of the bytes, and of the keys
};

/// Puts and gets one value at a time, checksums included, and removes them again. Throws Error{IoFailure} where the server goes meanwhile,
/// Error{InvalidParameter (no size, a size beyond the store's limit, rounds), Cancelled}.
std::vector<report::RemoteLatencyRow> measureLatency(FeatureStore& store, const LatencySettings& settings, const RunContext& context);

/// The line whose squared relative errors at (bytes, seconds) are least; not a number with fewer than two different sizes.
report::LatencyLine fitLine(const std::vector<std::pair<double, double>>& points);
report::LatencyLine getLine(const std::vector<report::RemoteLatencyRow>& rows); ///< through the medians
report::LatencyLine putLine(const std::vector<report::RemoteLatencyRow>& rows);

/// The value that a share `fraction` of them do not exceed: sorted[ceil(fraction n) - 1]. NaN for none.
double quantile(std::vector<double> values, double fraction);

} // namespace tamis::remote
