// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/optical_flow.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace tamis::reuse {

namespace {
constexpr std::int64_t kLeastSide = 16;
constexpr float kLeastEigenvalue = 1;

/// 1 4 6 4 1 over 16 in both directions, every second pixel (Burt and Adelson 1983).
Plane halved(const Plane& plane)
{
    constexpr float kTaps[] = {1.0f / 16, 4.0f / 16, 6.0f / 16, 4.0f / 16, 1.0f / 16};
    const std::int64_t rows = (plane.rows() + 1) / 2, cols = (plane.cols() + 1) / 2;
    Plane across(plane.rows(), cols), half(rows, cols);
    for (std::int64_t y = 0; y < plane.rows(); ++y)
        for (std::int64_t x = 0; x < cols; ++x)
            for (std::int64_t t = -2; t <= 2; ++t)
                across(y, x) += kTaps[t + 2] * plane(y, std::clamp<std::int64_t>(2 * x + t, 0, plane.cols() - 1));
    for (std::int64_t y = 0; y < rows; ++y)
        for (std::int64_t t = -2; t <= 2; ++t)
            for (std::int64_t x = 0; x < cols; ++x)
                half(y, x) += kTaps[t + 2] * across(std::clamp<std::int64_t>(2 * y + t, 0, plane.rows() - 1), x);
    return half;
}

/// Sums over windows of 2 radius + 1 pixels, cut at the border, by running sums.
void windowSums(Plane& plane, std::int64_t radius, Plane& across)
{
    const std::int64_t rows = plane.rows(), cols = plane.cols();
    for (std::int64_t y = 0; y < rows; ++y) {
        double sum = 0;
        for (std::int64_t x = 0; x < std::min(radius, cols); ++x)
            sum += static_cast<double>(plane(y, x));
        for (std::int64_t x = 0; x < cols; ++x) {
            sum += x + radius < cols ? static_cast<double>(plane(y, x + radius)) : 0;
            sum -= x - radius - 1 >= 0 ? static_cast<double>(plane(y, x - radius - 1)) : 0;
            across(y, x) = static_cast<float>(sum);
        }
    }
    std::vector<double> sums(static_cast<std::size_t>(cols));
    for (std::int64_t y = 0; y < std::min(radius, rows); ++y)
        for (std::int64_t x = 0; x < cols; ++x)
            sums[static_cast<std::size_t>(x)] += static_cast<double>(across(y, x));
    for (std::int64_t y = 0; y < rows; ++y)
        for (std::int64_t x = 0; x < cols; ++x) {
            double& sum = sums[static_cast<std::size_t>(x)];
            sum += y + radius < rows ? static_cast<double>(across(y + radius, x)) : 0;
            sum -= y - radius - 1 >= 0 ? static_cast<double>(across(y - radius - 1, x)) : 0;
            plane(y, x) = static_cast<float>(sum);
        }
}

/// One level: refines `field` in place.
void refine(const Plane& current, const Plane& before, const FlowSettings& settings, MotionField& field, const RunContext& context)
{
    const std::int64_t rows = current.rows(), cols = current.cols();
    Plane gx(rows, cols), gy(rows, cols), xx(rows, cols), xy(rows, cols), yy(rows, cols), bx(rows, cols), by(rows, cols), buffer(rows, cols), count(rows, cols);
    for (std::int64_t y = 0; y < rows; ++y)
        for (std::int64_t x = 0; x < cols; ++x) {
            gx(y, x) = 0.5f * (current(y, std::min(x + 1, cols - 1)) - current(y, std::max<std::int64_t>(x - 1, 0)));
            gy(y, x) = 0.5f * (current(std::min(y + 1, rows - 1), x) - current(std::max<std::int64_t>(y - 1, 0), x));
            xx(y, x) = gx(y, x) * gx(y, x);
            xy(y, x) = gx(y, x) * gy(y, x);
            yy(y, x) = gy(y, x) * gy(y, x);
            count(y, x) = 1;
        }
    for (Plane* plane : {&xx, &xy, &yy, &count}) {
        context.throwIfStopped();
        windowSums(*plane, settings.radius, buffer);
    }
    for (std::int64_t i = 0; i < settings.iterations; ++i) {
        for (std::int64_t y = 0; y < rows; ++y) {
            context.throwIfStopped();
            for (std::int64_t x = 0; x < cols; ++x) {
                const float difference = current(y, x) - sampled(before.view(), static_cast<float>(x) + field.dx(y, x), static_cast<float>(y) + field.dy(y, x));
                // The window shares the displacement of its centre: what each pixel was moved by is taken back
                bx(y, x) = gx(y, x) * (difference + gx(y, x) * field.dx(y, x) + gy(y, x) * field.dy(y, x));
                by(y, x) = gy(y, x) * (difference + gx(y, x) * field.dx(y, x) + gy(y, x) * field.dy(y, x));
            }
        }
        for (Plane* plane : {&bx, &by}) {
            context.throwIfStopped();
            windowSums(*plane, settings.radius, buffer);
        }
        for (std::int64_t y = 0; y < rows; ++y) {
            context.throwIfStopped();
            for (std::int64_t x = 0; x < cols; ++x) {
                const float a = xx(y, x), b = xy(y, x), c = yy(y, x), pixels = count(y, x);
                const float root = std::sqrt(0.25f * (a - c) * (a - c) + b * b), least = 0.5f * (a + c) - root, most = 0.5f * (a + c) + root;
                if (!(least > kLeastEigenvalue * pixels) || !(least * most > 0))
                    continue;
                // [a b; b c] d = (bx, by), by elimination of the larger diagonal
                float dx = 0, dy = 0;
                if (a >= c) {
                    dy = (by(y, x) - b / a * bx(y, x)) / (c - b / a * b);
                    dx = (bx(y, x) - b * dy) / a;
                } else {
                    dx = (bx(y, x) - b / c * by(y, x)) / (a - b / c * b);
                    dy = (by(y, x) - b * dx) / c;
                }
                // No more than the window in one step
                const auto reach = static_cast<float>(settings.radius + 1);
                field.dx(y, x) += std::clamp(dx - field.dx(y, x), -reach, reach);
                field.dy(y, x) += std::clamp(dy - field.dy(y, x), -reach, reach);
            }
        }
    }
}

/// Twice as large, displacements twice as long.
MotionField enlarged(const MotionField& field, std::int64_t rows, std::int64_t cols)
{
    MotionField large{Plane(rows, cols), Plane(rows, cols)};
    for (std::int64_t y = 0; y < rows; ++y)
        for (std::int64_t x = 0; x < cols; ++x) {
            large.dx(y, x) = 2 * sampled(field.dx.view(), 0.5f * static_cast<float>(x), 0.5f * static_cast<float>(y));
            large.dy(y, x) = 2 * sampled(field.dy.view(), 0.5f * static_cast<float>(x), 0.5f * static_cast<float>(y));
        }
    return large;
}

Plane copied(ConstPlane plane)
{
    Plane own(plane.rows, plane.cols);
    for (std::int64_t y = 0; y < plane.rows; ++y)
        std::ranges::copy(plane.row(y), own.view().row(y).begin());
    return own;
}
} // namespace

MotionField denseFlow(ConstPlane current, ConstPlane before, const FlowSettings& settings, double* macs, const RunContext& context)
{
    std::vector<Plane> now{copied(current)}, then{copied(before)};
    for (std::int64_t level = 1; level < settings.levels && std::min(now.back().rows(), now.back().cols()) >= 2 * kLeastSide; ++level) {
        context.throwIfStopped();
        now.push_back(halved(now.back()));
        then.push_back(halved(then.back()));
    }
    MotionField field{Plane(now.back().rows(), now.back().cols()), Plane(now.back().rows(), now.back().cols())};
    double work = 0;
    for (std::size_t level = now.size(); level-- > 0;) {
        if (field.dx.rows() != now[level].rows() || field.dx.cols() != now[level].cols())
            field = enlarged(field, now[level].rows(), now[level].cols());
        refine(now[level], then[level], settings, field, context);
        // A pixel: two gradients, three products, four windows of four sums; an iteration: eight for the sample and the products, two windows, ten for the solution; ten taps of two smaller pictures
        work += static_cast<double>(now[level].size()) * (2 + 3 + 16 + static_cast<double>(settings.iterations) * (8 + 4 + 8 + 10) + (level > 0 ? 20 : 0));
    }
    if (macs)
        *macs = work;
    return field;
}

} // namespace tamis::reuse
