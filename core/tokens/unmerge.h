// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What merged tokens hold, spread back to those that they stand for.
#include "core/tokens/reduction.h"

namespace tamis::tokens {

/// Every token's row of `merged` [assignment.count, width] again: [tokens before, width]; pruned ones are zeros. Throws Error{InvalidParameter} for
/// another number of rows.
tensor::Matrix<float> unmerge(const Assignment& assignment, kernels::ConstRows merged);

/// Every source token's row of `rows` [set.tokens(), width]: [source tokens, width], the prefix first, then the patch grid row by row; sources
/// that were pruned are `pruned`. Throws as above.
tensor::Matrix<float> unmerge(const TokenSet& set, kernels::ConstRows rows, float pruned = 0);

/// Every token's mean over the sources that it holds, of `sources` [source tokens, width]: [set.tokens(), width]. Sums in double. It undoes the above. Throws as above.
tensor::Matrix<float> sourceMeans(const TokenSet& set, kernels::ConstRows sources);

} // namespace tamis::tokens
