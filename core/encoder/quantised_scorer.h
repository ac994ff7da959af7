// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/encoder/coarse_scorer.h"
#include "core/encoder/dictionary.h"

#include <vector>

namespace tamis::encoder {

/// Scores from rows of 8 or 4 bits with a scale a row, x in float32. 8: q in [-127, 127], scale max |w| / 127. 4: q in [-7, 7], of the scales
/// c max |w| / 7 with c = 1, 0.95 ... 0.4 the one of least squared error. With a `mean` of the activations (empty: none) the scores of the
/// mean are exact: b + (W - W') mean. Throws Error{InvalidParameter} for other bits, Error{Cancelled}.
ScorerPtr quantisedScorer(const Dictionary& dictionary, int bits, const std::vector<double>& mean, const RunContext& context = {});

/// One row as it is stored: values and scale.
struct QuantisedRow {
    std::vector<std::int8_t> values;
    float scale = 0;
};
QuantisedRow quantisedRow(std::span<const float> row, int bits);

} // namespace tamis::encoder
