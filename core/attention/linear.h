// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Linear attention: the softmax gives way to a product of features of q and of k. Source: Katharopoulos et al. 2020 (elu + 1).
#include "core/attention/method.h"

namespace tamis::attention {

enum class LinearMap { EluPlusOne, Relu, SquaredRelu };

HeadRulePtr linearRule(LinearMap map);
/// id attention.linear.
Method linearMethod();

} // namespace tamis::attention
