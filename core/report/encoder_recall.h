// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Recall as a function of how many coarse candidates are re-ranked, read from the places that the latents of the exact sets have in
// the coarse order: nothing is scored again. A latent is found by a cut of K where its place, 0 first, is below K.
#include "core/report/encoder_report.h"
#include "core/report/histogram.h"
#include "core/report/series.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tamis::report {

struct RecallAtCut {
    std::int64_t cut = 0;
    double mean = kNotMeasured, p5 = kNotMeasured, p1 = kNotMeasured, min = kNotMeasured; ///< percentiles by the nearest rank, as EncoderQuality
    std::vector<double> tokens; ///< of each token with a non-empty exact set, in their order
    std::int64_t complete = 0;  ///< tokens of these whose whole set was found
};

/// The report knows where the exact sets' latents stand in a coarse order.
bool hasCoarseRanks(const EncoderReport& report);

/// At a cut of `cut` (>= 0) candidates. Without coarse ranks: nothing measured.
RecallAtCut recallAtCut(const EncoderReport& report, std::int64_t cut);
/// What the encoder itself found, in the same form; its cut is 0.
RecallAtCut recallOf(const EncoderReport& report);
/// Latents that a cut misses, most often missed first, at most `most`.
std::vector<MissedLatent> missedAtCut(const EncoderReport& report, std::int64_t cut, std::size_t most);
/// Mean over all latents of the exact sets against the cut, from 1 to M; at most 400 points. Steps between them are drawn as lines.
Series recallCurve(const EncoderReport& report);
/// The least cut that finds at least `share` of the latents of the exact sets; 0 without coarse ranks.
std::int64_t cutForRecall(const EncoderReport& report, double share);
/// Places (1 first) of all latents of the exact sets.
Histogram coarsePlaces(const EncoderReport& report);

/// How many of M scores stay possible where every bound is `bound` standard deviations wide and scores are normally distributed: those
/// above the k-th largest less twice the bound, M Q(Q^-1(k / M) - 2 bound), Q the upper tail; at most M. 1 <= k <= M.
double expectedSurvivors(std::int64_t latents, std::int64_t k, double bound);

} // namespace tamis::report
