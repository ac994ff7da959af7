// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a forward pass of a checkpoint costs, for `inspect --cost`.
#include "core/base/run_context.h"
#include "core/io/checkpoint.h"
#include "core/report/model_report.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>

namespace tamis::cli {

struct CostRequest {
    std::int64_t tokens = 0; ///< 0: the model's own choice
    std::int64_t batch = 1;
    std::string ceilings = "this";
    bool measure = false;
};

/// Throws what opening an architecture, ceilings and a model throw.
report::ModelCostReport costOf(const io::Checkpoint& checkpoint, const CostRequest& request, const RunContext& context);

/// document["cost"]: totals, ceilings and layers[]; its warnings go to the document's.
void addCost(nlohmann::ordered_json& document, const report::ModelCostReport& report);

/// A table of the layers, the totals below.
std::string describedCost(const report::ModelCostReport& report);

} // namespace tamis::cli
