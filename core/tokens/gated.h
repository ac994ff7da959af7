// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/tokens/method.h"
#include "core/tokens/route.h"

#include <memory>
#include <vector>

namespace tamis::tokens {

/// Every branch times its factor, in the order of gate_training.h ([2 blocks]); those of factor 0 are not run. The same for every photo.
/// Throws Error{InvalidParameter} for another count.
std::shared_ptr<const Route> gatedRoute(std::shared_ptr<const nn::Model> model, std::vector<float> factors);

/// Gates learned on the branches of the model; closed ones are left out.
Method gatedMethod();

} // namespace tamis::tokens
