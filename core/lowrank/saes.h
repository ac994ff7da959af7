// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/lowrank/method.h"

namespace tamis::lowrank {

/// lowrank.saes: block after block through the already compressed model, towards a target between the drifted inputs' own outputs
/// and the dense model's (SAES-SVD with adaptive beta); docs/methods/lowrank.saes.md.
Method saesMethod();

} // namespace tamis::lowrank
