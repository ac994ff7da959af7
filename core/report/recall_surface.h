// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Recall of two-stage encoders over the rank of their coarse scores and the number of candidates, with what each costs.
#include "core/report/model_report.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::report {

struct RecallPoint {
    std::int64_t rank = 0, candidates = 0; ///< rank 0: the coarse scores have none
    double recallMean = kNotMeasured, recallP5 = kNotMeasured, recallP1 = kNotMeasured, recallMin = kNotMeasured;
    double macs = 0, bytesRead = 0;        ///< a token, exact scores of the candidates included
};

struct RecallSurface {
    std::string coarse;                     ///< "low-rank"
    std::vector<std::int64_t> ranks, candidates;
    std::vector<RecallPoint> points;        ///< [ranks][candidates]
    double exactMacs = 0, exactBytesRead = 0;
    std::int64_t tokens = 0;
    double seconds = 0;
};

/// Which tokens a recall speaks of, and what a setting is paid in.
enum class RecallMeasure { Mean, P5, P1, Least };
enum class SurfaceCost { Macs, BytesRead };
double recallAt(const RecallPoint& point, RecallMeasure measure);
double costAt(const RecallPoint& point, SurfaceCost cost);
double exactCost(const RecallSurface& surface, SurfaceCost cost);

/// The cheapest point whose recall is at least `share`, the smallest rank among equally cheap ones; nullptr where there is none. Points
/// into the surface.
const RecallPoint* cheapest(const RecallSurface& surface, RecallMeasure measure, double share, SurfaceCost cost);

} // namespace tamis::report
