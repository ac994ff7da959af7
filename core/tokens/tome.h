// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Token merging: Bolya et al. 2023, "Token Merging: Your ViT But Faster".
#include "core/tokens/method.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::tokens {

/// Merges r tokens at most: (tokens - protected) / 2 at most.
ReductionPtr mergeStep(std::int64_t r);

/// Every token's row of `merged` again: [tokens before, width]; pruned ones are zeros.
tensor::Matrix<float> unmerge(const Assignment& assignment, kernels::ConstRows merged);

Method tomeMethod();

} // namespace tamis::tokens
