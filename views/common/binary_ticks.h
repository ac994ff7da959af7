// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

namespace tamis::views {

/// Values of bytes to label from `low` to `high`: on a linear axis multiples of a power of two, on a logarithmic one (`low` > 0) powers of two at even steps; at most about `most`
/// (>= 1) of them. Binary units then say them in few digits.
inline std::vector<double> binaryTicks(double low, double high, int most, bool logarithmic)
{
    std::vector<double> ticks;
    if (!(high > low) || !std::isfinite(high - low) || (logarithmic && !(low > 0)))
        return ticks;
    if (logarithmic) {
        const auto first = static_cast<int>(std::ceil(std::log2(low) - 1e-9)), last = static_cast<int>(std::floor(std::log2(high) + 1e-9));
        int step = 1;
        while ((last - first) / step + 1 > std::max(most, 1))
            step *= 2;
        for (int power = first % step == 0 ? first : first + step - (first % step + step) % step; power <= last; power += step)
            ticks.push_back(std::exp2(power));
        return ticks;
    }
    const double step = std::max(1.0, std::exp2(std::ceil(std::log2((high - low) / std::max(most, 1)) - 1e-9)));
    for (double value = std::ceil(low / step - 1e-9) * step; value <= high + 1e-9 * step; value += step)
        ticks.push_back(value);
    return ticks;
}

} // namespace tamis::views
