// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Lines of equal height on a grid of samples, by marching squares.
#include "core/report/series.h"

#include <cstddef>
#include <span>
#include <vector>

namespace tamis::report {

/// Lines along which values [rows][columns], interpolated along the grid's edges, are `level`. Points in grid coordinates: x from 0 to
/// columns - 1, y from 0 to rows - 1. A line ends at the grid's border or where a value is not finite, or closes itself: then its last point
/// is its first. Where two corners of a cell that lie across from each other are above the level and the others below, the cell's mean
/// decides which are joined. Values of `level` count as above. Throws Error{InvalidParameter} for another number of values.
std::vector<std::vector<Point>> isolines(std::span<const double> values, std::size_t rows, std::size_t columns, double level);

} // namespace tamis::report
