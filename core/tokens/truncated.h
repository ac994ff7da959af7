// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/tokens/method.h"

namespace tamis::tokens {

/// The first blocks alone, whatever the picture shows: the trivial baseline of leaving early.
Method truncatedMethod();

} // namespace tamis::tokens
