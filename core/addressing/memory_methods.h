// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/addressing/method.h"

namespace tamis::addressing {

/// addressing.product-key: one block's feed-forward part as a memory with product keys; docs/addressing.md.
Method productKeyMethod();
/// addressing.mixture: the same with experts that a router chooses: top-e of a softmax, by surprise, or by ReLU gates.
Method mixtureMethod();

} // namespace tamis::addressing
