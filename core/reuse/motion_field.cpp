// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/motion_field.h"

#include <algorithm>
#include <cmath>

namespace tamis::reuse {

float sampled(ConstPlane plane, float x, float y) noexcept
{
    x = std::clamp(x, 0.0f, static_cast<float>(plane.cols - 1));
    y = std::clamp(y, 0.0f, static_cast<float>(plane.rows - 1));
    const auto left = std::min(static_cast<std::int64_t>(x), std::max<std::int64_t>(plane.cols - 2, 0)), top = std::min(static_cast<std::int64_t>(y), std::max<std::int64_t>(plane.rows - 2, 0));
    const std::int64_t right = std::min(left + 1, plane.cols - 1), bottom = std::min(top + 1, plane.rows - 1);
    const float fx = x - static_cast<float>(left), fy = y - static_cast<float>(top);
    const float above = plane(top, left) + fx * (plane(top, right) - plane(top, left)), below = plane(bottom, left) + fx * (plane(bottom, right) - plane(bottom, left));
    return above + fy * (below - above);
}

MotionField spread(const std::vector<Displacement>& patches, std::int64_t gridRows, std::int64_t gridColumns, std::int64_t height, std::int64_t width, const RunContext& context)
{
    MotionField field{Plane(height, width), Plane(height, width)};
    for (std::int64_t y = 0; y < height; ++y) {
        context.throwIfStopped();
        for (std::int64_t x = 0; x < width; ++x) {
            const Displacement& of = patches[static_cast<std::size_t>(y * gridRows / height * gridColumns + x * gridColumns / width)];
            field.dx(y, x) = of.dx;
            field.dy(y, x) = of.dy;
        }
    }
    return field;
}

std::vector<Displacement> patchMotion(const MotionField& field, ConstPlane current, ConstPlane before, std::int64_t gridRows, std::int64_t gridColumns, const RunContext& context)
{
    std::vector<Displacement> patches(static_cast<std::size_t>(gridRows * gridColumns));
    const std::int64_t height = current.rows / gridRows, width = current.cols / gridColumns;
    const auto lastX = static_cast<float>(current.cols) - 0.5f, lastY = static_cast<float>(current.rows) - 0.5f;
    for (std::int64_t p = 0; p < gridRows * gridColumns; ++p) {
        context.throwIfStopped();
        Displacement& to = patches[static_cast<std::size_t>(p)];
        const std::int64_t top = p / gridColumns * height, left = p % gridColumns * width;
        double dx = 0, dy = 0, error = 0;
        for (std::int64_t y = top; y < top + height; ++y)
            for (std::int64_t x = left; x < left + width; ++x) {
                const float wasX = static_cast<float>(x) + field.dx(y, x), wasY = static_cast<float>(y) + field.dy(y, x);
                dx += static_cast<double>(field.dx(y, x));
                dy += static_cast<double>(field.dy(y, x));
                const bool inside = wasX >= -0.5f && wasY >= -0.5f && wasX <= lastX && wasY <= lastY;
                error += inside ? static_cast<double>(std::abs(current(y, x) - sampled(before, wasX, wasY))) : 255.0;
            }
        const auto pixels = static_cast<double>(height * width);
        to = {static_cast<float>(dx / pixels), static_cast<float>(dy / pixels), static_cast<float>(error / pixels)};
    }
    return patches;
}

} // namespace tamis::reuse
