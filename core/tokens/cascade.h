// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/tokens/method.h"

namespace tamis::tokens {

/// A cheap way through the model first, and the whole model where that is not sure.
Method cascadeMethod();

} // namespace tamis::tokens
