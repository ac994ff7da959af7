// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The demonstration's second half: what the compressed model still does, on the bundled photos and text.
#include "app/cli/demo_results.h"
#include "core/report/evaluation_report.h"
#include "core/report/model_report.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace tamis::cli {

struct DemoModel {
    report::EvaluationReport photos; ///< vit20 under the plan against vit20, on the bundled photos
    report::EvaluationReport text;   ///< tinylm on the bundled held-out text
    report::ModelCostReport cost;    ///< vit20, layer by layer
};

/// Throws what loading, applying the plan and evaluating throw.
DemoModel computeDemoModel(const spectrum::Inputs& inputs, const plan::Plan& plan, const RunContext& context);

std::vector<DemoChart> demoModelCharts(const DemoModel& model);
std::string demoModelMarkdown(const DemoModel& model);
nlohmann::ordered_json demoModelJson(const DemoModel& model);

} // namespace tamis::cli
