// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A part of the patches is kept in each of some blocks, by any score.
#include "core/tokens/method.h"

namespace tamis::tokens {

Method topRhoMethod();

} // namespace tamis::tokens
