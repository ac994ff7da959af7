// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/lowrank/method.h"

namespace tamis::lowrank {

/// Whether a method reads Inputs::samples where there are some: it needs them, or measures or collects on them what it otherwise
/// leaves out. Its result is another one without them.
bool takesSamples(const Method& method);

} // namespace tamis::lowrank
