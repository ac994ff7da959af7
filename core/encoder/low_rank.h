// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/encoder/coarse_scorer.h"
#include "core/encoder/method.h"
#include "core/encoder/weighted_factors.h"

namespace tamis::encoder {

/// encoder.low-rank: scores B (A x) + b in place of W x + b; docs/methods/encoder.low-rank.md.
Method lowRankMethod();

/// Scores b (a x) + bias in float32. b [M, r], a [r, D], bias [M]. Throws Error{InvalidParameter} for shapes that disagree.
ScorerPtr lowRankScorer(tensor::MatrixView<const double> b, tensor::MatrixView<const double> a, std::vector<float> bias);

/// How directions are weighed: what low-rank, tiled and two-stage encoders have in common.
struct Weighting {
    bool activations = true; ///< by the calibration rows; false: all alike (plain SVD)
    bool centre = true;      ///< about the rows' mean, whose scores go into the bias
    double ridge = 1e-4;
};
std::vector<ParameterSpec> weightingParameters();
Weighting weightingFrom(const Parameters& parameters);
/// Throws Error{InvalidParameter} where activations are to weigh and there are none.
Moments weightedMoments(const Inputs& inputs, const Weighting& weighting, const RunContext& context);

/// Throws Error{InvalidParameter} where activations are to weigh and there are none. A rank that is not to be had is lowered, with a warning.
ScorerPtr weightedLowRankScorer(const Inputs& inputs, const Weighting& weighting, std::int64_t rank, std::vector<std::string>& warnings, const RunContext& context);

} // namespace tamis::encoder
