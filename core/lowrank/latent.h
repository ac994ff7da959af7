// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/lowrank/method.h"

namespace tamis::lowrank {

/// lowrank.latent: joint queries and keys, values and outputs, and what LatentLLM does to the rest, each part switchable;
/// docs/methods/lowrank.latent.md.
Method latentMethod();

} // namespace tamis::lowrank
