// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/lowrank/method.h"

namespace tamis::lowrank {

/// lowrank.anchored: block after block through the already compressed model, each matrix fitted to the dense model's outputs
/// (AA-SVD): lowrank.saes with beta = 1; docs/methods/lowrank.anchored.md.
Method anchoredMethod();

} // namespace tamis::lowrank
