// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/model_cost.h"

namespace tamis::plan {

report::Cost modelCost(const io::Checkpoint& checkpoint)
{
    report::Cost cost;
    cost.parameters = checkpoint.parameters();
    cost.bytes = checkpoint.bytes();
    for (const auto& matrix : checkpoint.layout().matrices)
        if (matrix.linear)
            cost.macs += static_cast<std::uint64_t>(matrix.rows) * static_cast<std::uint64_t>(matrix.cols);
    return cost;
}

} // namespace tamis::plan
