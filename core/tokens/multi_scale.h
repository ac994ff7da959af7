// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/tokens/method.h"

namespace tamis::tokens {

/// tokens.multi-scale: the image at several sizes, one pass each, their features fused before the head. One scale below 1 alone is uniform
/// down-scaling of the image.
Method multiScaleMethod();

} // namespace tamis::tokens
