// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The baseline of merging: a coarser grid, whatever is in the picture.
#include "core/tokens/method.h"

namespace tamis::tokens {

Method downSamplingMethod();

} // namespace tamis::tokens
