// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/cli/demo_results.h"

#include <nlohmann/json_fwd.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace tamis::cli {

/// The numbers behind a chart: "# " lines with title and settings, then series,x,y rows.
std::string chartCsv(const DemoChart& chart);

/// tamis.demo/1: the sweep, the budgets at kDemoKeep, the verified export.
nlohmann::ordered_json demoJson(const DemoResults& results);

/// Markdown; `charts` are linked from pictures/ when `pictures`, else their tables from csv/.
/// `modelSection`: further sections before the charts.
std::string demoMarkdown(const DemoResults& results, const std::string& modelSection, const std::vector<DemoChart>& charts, bool pictures);

} // namespace tamis::cli
