// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Counts in bins, ready to draw.
#include <cstdint>
#include <span>
#include <vector>

namespace tamis::report {

/// counts[i] values v with edges[i] <= v < edges[i + 1]; the last bin holds its upper edge, too. Empty: no value.
struct Histogram {
    std::vector<double> edges; ///< ascending, one more than counts
    std::vector<std::int64_t> counts;
    bool empty() const noexcept { return counts.empty(); }
    bool operator==(const Histogram&) const = default;
};

/// `bins` (>= 1) of equal width from the least to the largest finite value; one bin around a single value. Others are left out.
Histogram histogramOf(std::span<const double> values, int bins);
/// The same from `low` to `high` (> low); values outside are left out.
Histogram histogramOf(std::span<const double> values, double low, double high, int bins);
/// Of places 1, 2, ... up to `last` (>= 1): bins that grow by about `growth` (> 1), each from a whole place to the next bin's, less one half.
Histogram placeHistogram(std::span<const double> places, std::int64_t last, double growth = 1.5);

} // namespace tamis::report
