// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Attention within windows that do not overlap, shifted in every other block. Source: Liu et al. 2021, Swin; the region mask is that of the authors' code.
#include "core/attention/group_mix.h"
#include "core/attention/token_windows.h"

#include <string>

namespace tamis::attention {

/// A patch sees the patches of its window and the prefix; the prefix sees all. Texts: a token sees those of its run that it may.
GroupsOf windowGroups(const TokenGrid& grid, std::int64_t side, std::int64_t shift);
HeadRulePtr windowRule(const TokenGrid& grid, std::int64_t side, std::int64_t shift);
/// Of block `block` of `blocks`: from the list `schedule` ("4,4,8,8"; one number: of all) where it is not empty, else from `first` to `last` (0: as `first`)
/// in equal steps, rounded. Throws Error{InvalidParameter} for a list of another length or with something that is no number above 0.
std::int64_t windowSide(const std::string& schedule, std::int64_t first, std::int64_t last, int block, int blocks);
/// id attention.window.
Method windowMethod();

} // namespace tamis::attention
