// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/encoder/method.h"
#include "core/encoder/routed_encoder.h"
#include "core/encoder/router_training.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace tamis::encoder {

/// encoder.mixture: experts of latents, a trained linear router picks some for a token; docs/methods/encoder.mixture.md.
Method mixtureMethod();

enum class Routing {
    TopExperts, ///< the e experts of the largest logits
    Relu        ///< the experts of positive logits, any number of them (ReMoE)
};

/// logits = weight x + bias, one an expert, as kernels::scoreListed() adds them. `active` is e of TopExperts; `load` [E], the share of the
/// calibration rows that chose each expert, what Relu's meanGroups() comes from. Throws Error{InvalidParameter} for another number of biases or
/// loads, and for e outside 1 to E.
std::shared_ptr<const Router> linearRouter(LinearMap map, Routing routing, std::int64_t active, std::vector<float> load);

} // namespace tamis::encoder
