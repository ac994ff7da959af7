// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The schedule of Rao et al. 2021, "DynamicViT: Efficient Vision Transformers with Dynamic Token Sparsification".
#include "core/tokens/method.h"

namespace tamis::tokens {

Method dynamicVitMethod();

} // namespace tamis::tokens
