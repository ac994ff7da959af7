// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/hierarchy/block_motion.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis::hierarchy {
namespace {
constexpr std::int64_t kWindow = 8; ///< pixels a side at least: fewer have too many likenesses

struct Window {
    std::int64_t top, left, bottom, right; ///< bottom and right are behind the last
};

/// Mean absolute difference; infinity where less than half of the window is in both pictures.
double difference(std::span<const float> before, std::span<const float> now, const MotionGrid& grid, const Window& window, int across, int down)
{
    const std::int64_t top = std::max<std::int64_t>(window.top, down), bottom = std::min(window.bottom, grid.height + down);
    const std::int64_t left = std::max<std::int64_t>(window.left, across), right = std::min(window.right, grid.width + across);
    const std::int64_t pixels = std::max<std::int64_t>(0, bottom - top) * std::max<std::int64_t>(0, right - left);
    if (2 * pixels < (window.bottom - window.top) * (window.right - window.left))
        return std::numeric_limits<double>::infinity();
    double sum = 0;
    for (std::int64_t y = top; y < bottom; ++y) {
        const float* own = now.data() + y * grid.width;
        const float* other = before.data() + (y - down) * grid.width - across;
        float row = 0;
        for (std::int64_t x = left; x < right; ++x)
            row += std::abs(own[x] - other[x]);
        sum += static_cast<double>(row);
    }
    return sum / static_cast<double>(pixels);
}

Shift best(std::span<const float> before, std::span<const float> now, const MotionGrid& grid, const Window& window, const RunContext& context)
{
    Shift found;
    double least = difference(before, now, grid, window, 0, 0);
    int length = 0;
    for (int down = -grid.reach; down <= grid.reach; ++down) {
        context.throwIfStopped();
        for (int across = -grid.reach; across <= grid.reach; ++across) {
            const double value = difference(before, now, grid, window, across, down);
            const int far = across * across + down * down;
            if (value < least || (value == least && far < length)) {
                least = value;
                length = far;
                found = {static_cast<std::int8_t>(across), static_cast<std::int8_t>(down)};
            }
        }
    }
    return found;
}
} // namespace

std::vector<Shift> blockMotion(std::span<const float> before, std::span<const float> now, const MotionGrid& grid, const RunContext& context)
{
    std::vector<Shift> shifts;
    for (std::int64_t row = 0; row < grid.rows; ++row)
        for (std::int64_t column = 0; column < grid.columns; ++column) {
            Window cell{row * grid.height / grid.rows, column * grid.width / grid.columns, (row + 1) * grid.height / grid.rows, (column + 1) * grid.width / grid.columns};
            const std::int64_t down = std::max<std::int64_t>(0, (kWindow - (cell.bottom - cell.top) + 1) / 2), across = std::max<std::int64_t>(0, (kWindow - (cell.right - cell.left) + 1) / 2);
            shifts.push_back(best(before, now, grid, {std::max<std::int64_t>(0, cell.top - down), std::max<std::int64_t>(0, cell.left - across), std::min(grid.height, cell.bottom + down),
                                                      std::min(grid.width, cell.right + across)},
                                  context));
        }
    return shifts;
}

} // namespace tamis::hierarchy
