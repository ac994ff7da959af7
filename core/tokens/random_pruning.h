// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The baseline that every choice of tokens must beat.
#include "core/tokens/method.h"

namespace tamis::tokens {

Method randomPruningMethod();

} // namespace tamis::tokens
