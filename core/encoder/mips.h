// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/encoder/method.h"

namespace tamis::encoder {

/// encoder.mips: candidates by a search for large inner products, then exact scores; docs/methods/encoder.mips.md.
Method mipsMethod();

} // namespace tamis::encoder
