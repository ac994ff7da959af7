// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Attention to the neighbours along the sequence, and to the first tokens. Source: Beltagy et al. 2020, Longformer; attention sinks: Xiao et
// al. 2023.
#include "core/attention/method.h"

namespace tamis::attention {

/// A query sees the keys within `reach` tokens of itself (causal: those before alone) and the first `global` ones; the first `global` queries
/// see all that they may. The block's own sliding window holds as well.
HeadRulePtr bandRule(std::int64_t reach, std::int64_t global);
/// id attention.band.
Method bandMethod();

} // namespace tamis::attention
