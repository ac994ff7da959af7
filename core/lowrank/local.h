// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/lowrank/method.h"

namespace tamis::lowrank {

/// lowrank.local: every matrix by itself, preconditioner and junction of choice; docs/methods/lowrank.local.md. Matrices in
/// parallel; decompositions come from the shared cache, so that another rank, junction or accounting makes none again.
Method localMethod();

} // namespace tamis::lowrank
