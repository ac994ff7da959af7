// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/encoder/coarse_scorer.h"
#include "core/encoder/dictionary.h"

#include <cstdint>
#include <vector>

namespace tamis::encoder {

/// Scores (W G^T / r) G (x - mean) + W mean + b with G [r, D] of independent normal numbers by `seed`: an unbiased estimate of W x + b whose
/// error shrinks with the root of r (Johnson and Lindenstrauss). `mean` may be empty: 0. Throws Error{InvalidParameter} for r < 1,
/// Error{Cancelled}.
ScorerPtr randomProjectionScorer(const Dictionary& dictionary, std::int64_t rank, std::uint64_t seed, const std::vector<double>& mean, const RunContext& context = {});

} // namespace tamis::encoder
