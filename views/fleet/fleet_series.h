// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What charts draw of a fleet report, and what is said of it.
#include "core/report/fleet_report.h"
#include "core/report/series.h"

#include <QString>

#include <vector>

namespace tamis::views {

std::vector<report::Series> spreadSeries(const report::RingReport& ring);   ///< spread of keys against virtual nodes
std::vector<report::Series> leaveSeries(const report::RingReport& ring);    ///< hit ratio against the share of the trace
std::vector<report::Series> informedSeries(const report::GossipReport& gossip);
std::vector<report::Series> staleSeries(const report::GossipReport& gossip);
/// Milliseconds of a fetch against bytes for every tier, computing again as a level line, and the server that was measured where there is one.
/// Either may be null.
std::vector<report::Series> breakEvenSeries(const report::EdgeCloudReport* edge, const report::RemoteReport* remote);
std::vector<report::Series> latencySeries(const report::RemoteReport& remote); ///< milliseconds of getting and putting against bytes
QString summaryOf(const report::FleetReport& report);

} // namespace tamis::views
