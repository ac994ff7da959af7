// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/report/lowrank_report.h"

#include <cmath>

namespace tamis::report {
namespace {
template <class Value> double meanOf(const std::vector<LowRankMatrix>& matrices, Value value)
{
    double sum = 0;
    std::size_t count = 0;
    for (const LowRankMatrix& matrix : matrices) {
        if (matrix.ownBasis)
            return kNotMeasured; // a mean over the others would flatter
        const double each = value(matrix);
        if (matrix.layout == "dense" || !std::isfinite(each))
            continue;
        sum += each;
        ++count;
    }
    return count > 0 ? sum / static_cast<double>(count) : kNotMeasured;
}
} // namespace

double LowRankReport::relativeLoss() const
{
    return meanOf(matrices, [](const LowRankMatrix& matrix) { return matrix.relativeLoss(); });
}

double LowRankReport::heldOutRelativeLoss() const
{
    return meanOf(matrices, [](const LowRankMatrix& matrix) { return matrix.heldOutRelativeLoss(); });
}

} // namespace tamis::report
