// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Attention by landmarks: softmax(q K~^T) A^+ softmax(Q~ k^T) v with A = softmax(Q~ K~^T), landmarks being means over segments of tokens.
// Source: Xiong et al. 2021, Nystromformer, without the convolution beside it, which belongs to models trained with it.
#include "core/attention/method.h"

namespace tamis::attention {

/// `iterations` of the authors' cubic iteration for A^+, from A^T / (|A|_1 |A|_inf). As many landmarks as tokens or more: exact attention.
HeadRulePtr nystromRule(std::int64_t landmarks, int iterations);
/// id attention.nystrom. Not causal.
Method nystromMethod();

} // namespace tamis::attention
