// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Token merging: Bolya et al. 2023, "Token Merging: Your ViT But Faster".
#include "core/tokens/method.h"

namespace tamis::tokens {

Method tomeMethod();

} // namespace tamis::tokens
