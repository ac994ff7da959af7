// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Where the content of a picture's cells comes from in the picture before it, by block matching.
#include "core/base/run_context.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::hierarchy {

/// Pixels; the content at (x, y) was at (x - across, y - down).
struct Shift {
    std::int8_t across = 0, down = 0;
    bool operator==(const Shift&) const = default;
};

struct MotionGrid {
    std::int64_t height = 0, width = 0;   ///< pixels
    std::int64_t rows = 0, columns = 0;   ///< cells
    int reach = 8;                        ///< pixels that are searched in every direction, 0 to 100
};

/// For each cell the shift of the least mean absolute difference, over a window around the cell of 8 pixels a side at least, as far as both pictures
/// have its pixels (half of it at least); ties: the shortest. Row by row. Pictures [height, width] of one channel. Full search. What replays frames by
/// motion looks for blocks that do not leave the earlier picture, by sums and to parts of a pixel; here content at the edge has moved, too, and whole
/// cells count. Throws Error{Cancelled}.
std::vector<Shift> blockMotion(std::span<const float> before, std::span<const float> now, const MotionGrid& grid, const RunContext& context);

} // namespace tamis::hierarchy
