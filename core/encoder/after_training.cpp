// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/after_training.h"

namespace tamis::encoder {

std::vector<std::string> readAfterTraining(const std::string& id, const Parameters& parameters)
{
    if (id == "encoder.low-rank-trained" || id == "encoder.tiled-trained" || id == "encoder.distilled")
        return {"candidates"};
    if (id == "encoder.hierarchical")
        return {"beam"};
    // ReLU gates and the load balance are trained towards the mean number of active experts.
    if (id == "encoder.mixture" && parameters.text("routing") == "top-e" && parameters.real("balance") == 0)
        return {"active"};
    return {};
}

} // namespace tamis::encoder
