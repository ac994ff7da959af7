// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/report/series.h"

#include <algorithm>
#include <cmath>

namespace tamis::report {

std::vector<Point> decimate(std::span<const double> y, double firstX, std::size_t limit)
{
    std::vector<Point> all;
    all.reserve(y.size());
    for (std::size_t i = 0; i < y.size(); ++i)
        if (std::isfinite(y[i]))
            all.push_back({firstX + static_cast<double>(i), y[i]});
    limit = std::max<std::size_t>(limit, 4);
    if (all.size() <= limit)
        return all;
    const std::size_t buckets = (limit - 2) / 2, inner = all.size() - 2;
    std::vector<Point> kept{all.front()};
    const auto lower = [](const Point& a, const Point& b) { return a.y < b.y; };
    for (std::size_t b = 0; b < buckets; ++b) {
        const auto first = all.begin() + 1 + static_cast<std::ptrdiff_t>(b * inner / buckets);
        const auto last = all.begin() + 1 + static_cast<std::ptrdiff_t>((b + 1) * inner / buckets);
        const auto [low, high] = std::minmax_element(first, last, lower);
        kept.push_back(*std::min(low, high));
        if (low != high)
            kept.push_back(*std::max(low, high));
    }
    kept.push_back(all.back());
    return kept;
}

} // namespace tamis::report
