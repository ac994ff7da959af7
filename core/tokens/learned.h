// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Patches that small trained networks keep: Rao et al. 2021, DynamicViT (arXiv 2106.02034), with the model left as it is.
#include "core/tokens/method.h"

#include <cstdint>
#include <memory>

namespace tamis::tokens {

/// The `stage`-th predictor of `parts` before a block: keeps `count` patches. Throws Error{MalformedFile} for tensors that are missing or of other
/// shapes than `width` features ask for.
ReductionPtr learnedStep(const TrainedParts& parts, std::size_t stage, std::int64_t width, std::int64_t count);

Method learnedMethod(); ///< `tokens.learned`

} // namespace tamis::tokens
