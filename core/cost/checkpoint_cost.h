// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/cost/model_cost.h"
#include "core/io/checkpoint.h"

namespace tamis::cost {

/// The cost of a checkpoint that nn::Model could load, from its config and shapes alone, factors of an export included;
/// names and forms in the options are not used. `imageHeight/Width`: at another size than the config says (0: as it says).
/// Throws Error{UnsupportedFeature, MalformedFile} as loading does, and what modelCost of an architecture throws.
report::ModelCostReport modelCost(const io::Checkpoint& checkpoint, CostOptions options = {}, std::int64_t imageHeight = 0,
                                  std::int64_t imageWidth = 0);

} // namespace tamis::cost
