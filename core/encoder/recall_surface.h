// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/encoder/coarse_scorer.h"
#include "core/encoder/encoder_quality.h"
#include "core/encoder/weighted_factors.h"
#include "core/report/recall_surface.h"

#include <span>
#include <vector>

namespace tamis::encoder {

/// Coarse scores of one rank.
struct RankedScorer {
    std::int64_t rank = 0;
    ScorerPtr scorer;
};

/// The recall that a two-stage encoder has with each scorer at each number of candidates, without running any: a latent of the exact set is
/// found if and only if it is among the candidates, so that the places of the exact sets in the coarse order, taken once a scorer, give all
/// of them. Throws Error{InvalidParameter} for candidates outside 1 to M or a scorer of another dictionary, Error{Cancelled}.
report::RecallSurface recallSurface(const ExactTokens& exact, const std::string& coarse, std::span<const RankedScorer> scorers, std::vector<std::int64_t> candidates,
                                    const RunContext& context = {});

/// Low-rank scorers of several ranks from one decomposition: B_r A_r are the leading columns and rows. Ranks beyond what there is are left out.
std::vector<RankedScorer> lowRankScorers(const Dictionary& dictionary, const Moments& moments, const std::vector<std::int64_t>& ranks, const RunContext& context = {});

} // namespace tamis::encoder
