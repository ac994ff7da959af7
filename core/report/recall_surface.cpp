// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/report/recall_surface.h"

namespace tamis::report {

double recallAt(const RecallPoint& point, RecallMeasure measure)
{
    switch (measure) {
    case RecallMeasure::Mean: return point.recallMean;
    case RecallMeasure::P5: return point.recallP5;
    case RecallMeasure::P1: return point.recallP1;
    case RecallMeasure::Least: return point.recallMin;
    }
    return kNotMeasured;
}

double costAt(const RecallPoint& point, SurfaceCost cost) { return cost == SurfaceCost::Macs ? point.macs : point.bytesRead; }

double exactCost(const RecallSurface& surface, SurfaceCost cost) { return cost == SurfaceCost::Macs ? surface.exactMacs : surface.exactBytesRead; }

const RecallPoint* cheapest(const RecallSurface& surface, RecallMeasure measure, double share, SurfaceCost cost)
{
    const RecallPoint* best = nullptr;
    for (const RecallPoint& point : surface.points) {
        if (!(recallAt(point, measure) >= share))
            continue;
        const double price = costAt(point, cost);
        if (!best || price < costAt(*best, cost) || (price == costAt(*best, cost) && point.rank < best->rank))
            best = &point;
    }
    return best;
}

} // namespace tamis::report
