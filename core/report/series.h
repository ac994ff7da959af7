// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Curves ready to draw. Decimation happens in the worker, never in a view.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tamis::report {

struct Point {
    double x = 0, y = 0;
    bool operator==(const Point&) const = default;
};

struct Series {
    std::string name;
    std::vector<Point> points;
    bool secondary = false; ///< right axis
    bool dashed = false;    ///< baselines, held-out
    int group = -1;         ///< series of one group share a colour; -1: a colour of its own, by position
    bool baseline = false;  ///< what the trivial method gives: drawn in the baseline's colour, dotted
};

/// At most `limit` points (>= 4) of y over x = firstX + i: keeps the first, the last and the minimum and maximum of each
/// bucket in order, so that no peak is lost. Non-finite values are dropped.
std::vector<Point> decimate(std::span<const double> y, double firstX, std::size_t limit);

} // namespace tamis::report
