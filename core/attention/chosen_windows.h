// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Windows that choose each other by their content: each attends exactly to the windows whose mean key its mean query likes best. After Roy et al. 2021 (Routing
// Transformer: content decides what is attended to) and Lu et al. 2025 (MoBA: mean-pooled keys decide it), for windows of a grid and without training.
#include "core/attention/group_mix.h"
#include "core/attention/token_windows.h"

#include <cstdint>

namespace tamis::attention {

/// Each window sees itself, the prefix, and of the others those of the largest scores (of equal ones the first), `windows` in all; the prefix sees all. Causal: earlier
/// windows alone, chosen by the window's first query, for later ones would tell of tokens that are not there yet. A score that is no number is the
/// least of all.
HeadRulePtr chosenWindowsRule(const TokenGrid& grid, std::int64_t side, std::int64_t windows);
/// id attention.chosen-windows.
Method chosenWindowsMethod();

} // namespace tamis::attention
