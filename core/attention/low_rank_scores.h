// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Scores of fewer features: q k^T by way of q A (k B)^T, A and B [dim, rank] of each head fitted to samples. What lowrank.joint-qk does to a layer's weights is done here to
// queries and keys as they are, rotary positions and norms included: docs/methods/attention.joint-qk.md.
#include "core/attention/method.h"
#include "core/tensor/matrix.h"

#include <memory>
#include <vector>

namespace tamis::attention {

/// Of one head, [dim, rank].
struct ScorePlane {
    tensor::Matrix<float> queries, keys;
};
struct FittedPlane {
    ScorePlane plane;
    /// Singular values of Q K^T over all rows of the samples, descending. A plane of rank r leaves those behind the first r: sum of their squares = |Q K^T - Q A B^T K^T|_F^2,
    /// and no other of that rank leaves less (Eckart, Young 1936).
    std::vector<double> singularValues;
};
/// Q and K are all queries and keys of the samples, one below the other: every query is paired with every key. In double. `rank` beyond the features is all of them.
/// Throws Error{InvalidParameter} for no sample, Error{NonFinite} for queries or keys that are no finite numbers.
FittedPlane fitPlane(const BlockSamples& oneHead, std::int64_t rank);

/// Softmax attention with these scores; causal and sliding as the shape says.
HeadRulePtr lowRankScoresRule(std::shared_ptr<const ScorePlane> plane);
/// id attention.joint-qk.
Method jointQkMethod();

} // namespace tamis::attention
