// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The demonstration's third part: the low-rank lab on tinylm, from capture to perplexity.
#include "app/cli/demo_results.h"
#include "core/report/lowrank_report.h"

#include <nlohmann/json_fwd.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace tamis::cli {

/// Captures a calibration set of tinylm into `directory` and compares methods at three keeps on held-out tokens. Throws what
/// capturing and comparing throw.
report::MethodComparison computeDemoLowRank(const std::filesystem::path& directory, const RunContext& context);

std::vector<DemoChart> demoLowRankCharts(const report::MethodComparison& comparison);
std::string demoLowRankMarkdown(const report::MethodComparison& comparison);

} // namespace tamis::cli
