// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/encoder/coarse_scorer.h"
#include "core/encoder/method.h"

namespace tamis::encoder {

/// encoder.distilled: a small network taught by the exact encoder; docs/methods/encoder.distilled.md.
Method distilledMethod();

/// Scores w2 gelu(w1 x + b1) + b2, gelu with erf: w1 [h, D], w2 [M, h]. Throws Error{InvalidParameter} for shapes that disagree.
ScorerPtr distilledScorer(tensor::MatrixView<const float> w1, std::vector<float> b1, tensor::MatrixView<const float> w2, std::vector<float> b2);

} // namespace tamis::encoder
