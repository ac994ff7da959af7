// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/report/histogram.h"

#include <algorithm>
#include <cmath>

namespace tamis::report {
namespace {
void count(std::span<const double> values, Histogram& histogram)
{
    histogram.counts.assign(histogram.edges.size() - 1, 0);
    for (const double value : values) {
        if (!(value >= histogram.edges.front() && value <= histogram.edges.back()))
            continue;
        const auto above = std::upper_bound(histogram.edges.begin(), histogram.edges.end(), value) - histogram.edges.begin();
        ++histogram.counts[static_cast<std::size_t>(std::min<std::ptrdiff_t>(above, static_cast<std::ptrdiff_t>(histogram.counts.size())) - 1)];
    }
}
} // namespace

Histogram histogramOf(std::span<const double> values, double low, double high, int bins)
{
    Histogram histogram;
    for (int i = 0; i <= bins; ++i)
        histogram.edges.push_back(i == bins ? high : low + (high - low) * i / bins);
    count(values, histogram);
    return histogram;
}

Histogram histogramOf(std::span<const double> values, int bins)
{
    double low = INFINITY, high = -INFINITY;
    for (const double value : values)
        if (std::isfinite(value)) {
            low = std::min(low, value);
            high = std::max(high, value);
        }
    if (low > high)
        return {};
    if (low == high) {
        const double half = std::max(std::abs(low) / 2, 0.5);
        return histogramOf(values, low - half, low + half, 1);
    }
    return histogramOf(values, low, high, bins);
}

Histogram placeHistogram(std::span<const double> places, std::int64_t last, double growth)
{
    if (places.empty())
        return {};
    Histogram histogram;
    for (double first = 1; first <= static_cast<double>(last); first = std::max(first + 1, std::round(first * growth)))
        histogram.edges.push_back(first - 0.5);
    histogram.edges.push_back(static_cast<double>(last) + 0.5);
    count(places, histogram);
    return histogram;
}

} // namespace tamis::report
