// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cmath>

namespace tamis::views {

/// 1, 2, 2.5 or 5 times a power of ten: the least such step that cuts `range` (> 0) into at most `parts` (>= 1) parts.
inline double niceStep(double range, int parts)
{
    if (!(range > 0) || !std::isfinite(range))
        return 1;
    const double rough = range / parts * (1 - 1e-12);
    const double decade = std::pow(10.0, std::floor(std::log10(rough)));
    for (const double step : {1.0, 2.0, 2.5, 5.0})
        if (step * decade >= rough)
            return step * decade;
    return 10 * decade;
}

} // namespace tamis::views
