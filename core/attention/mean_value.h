// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The trivial baselines of the lab: nothing at all, and the mean of the values.
#include "core/attention/method.h"

namespace tamis::attention {

/// Every output is the mean of the values that the query may see: queries and keys are not looked at.
HeadRulePtr meanValueRule();
/// Every output is 0.
HeadRulePtr zeroRule();
/// ids attention.mean-value, attention.zero.
Method meanValueMethod();
Method zeroMethod();

} // namespace tamis::attention
