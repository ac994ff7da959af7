// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/tokens/method.h"
#include "core/tokens/route.h"
#include "core/tokens/scaled_model.h"

#include <memory>
#include <vector>

namespace tamis::tokens {

enum class Fuse { Mean, Weighted, Max };

/// `models` finest first. One alone: its own output.
std::shared_ptr<const Route> multiScaleRoute(std::shared_ptr<const nn::Model> model, std::vector<ScaledModel> models, Fuse fuse);

/// tokens.multi-scale: the image at several sizes, one pass each, their features fused before the head. One scale below 1 alone is uniform
/// down-scaling of the image.
Method multiScaleMethod();

} // namespace tamis::tokens
