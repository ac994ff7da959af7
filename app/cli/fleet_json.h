// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A fleet report as JSON and as tables.
#include "core/report/fleet_report.h"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace tamis::cli {

/// The lab's own part of the document: "ring", "gossip", "edgeCloud", "remote", as far as they were run; "quality", "cost" and "baseline".
void addFleet(nlohmann::ordered_json& document, const report::FleetReport& report);
std::string described(const report::FleetReport& report);

} // namespace tamis::cli
