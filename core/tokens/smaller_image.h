// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/tokens/method.h"

namespace tamis::tokens {

/// tokens.smaller-image: every image at one smaller size, the trivial baseline of all dynamic resolution.
Method smallerImageMethod();

} // namespace tamis::tokens
