// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/global_motion.h"

#include "core/base/split_mix.h"
#include "core/linalg/qr.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace tamis::reuse {

namespace {
/// Coordinates around the mean of all matches, of about unit size: what keeps the least squares well conditioned (Hartley 1997).
struct Frame2d {
    double x = 0, y = 0, size = 1;
};

/// x of the least |A x - b| by the triangle of [A, b]; nothing for columns that depend on each other.
std::optional<std::vector<double>> leastSquares(const tensor::Matrix<double>& augmented)
{
    const std::int64_t n = augmented.cols() - 1;
    const auto r = linalg::thinQrTriangle(augmented.view());
    std::vector<double> x(static_cast<std::size_t>(n));
    double largest = 0;
    for (std::int64_t i = 0; i < n; ++i)
        largest = std::max(largest, std::abs(r(i, i)));
    for (std::int64_t i = n; i-- > 0;) {
        if (std::abs(r(i, i)) <= 1e-9 * largest)
            return std::nullopt;
        double sum = r(i, n);
        for (std::int64_t j = i + 1; j < n; ++j)
            sum -= r(i, j) * x[static_cast<std::size_t>(j)];
        x[static_cast<std::size_t>(i)] = sum / r(i, i);
    }
    return x;
}

class Fit {
public:
    Fit(std::span<const PointMatch> matches, MotionKind kind, const FitSettings& settings) : m_matches(matches), m_kind(kind), m_settings(settings)
    {
        for (const PointMatch& match : matches) {
            m_frame.x += match.x / static_cast<double>(matches.size());
            m_frame.y += match.y / static_cast<double>(matches.size());
        }
        double size = 0;
        for (const PointMatch& match : matches)
            size += std::hypot(match.x - m_frame.x, match.y - m_frame.y) / static_cast<double>(matches.size());
        m_frame.size = size > 0 ? size : 1;
    }
    std::size_t least() const { return m_kind == MotionKind::Affine ? 3 : 4; }

    /// Weighted least squares over `used`; `weights` [used] or empty.
    std::optional<GlobalMotion> solve(std::span<const std::size_t> used, std::span<const double> weights) const
    {
        const std::int64_t unknowns = m_kind == MotionKind::Affine ? 6 : 8;
        tensor::Matrix<double> a(std::max<std::int64_t>(2 * static_cast<std::int64_t>(used.size()), unknowns + 1), unknowns + 1);
        for (std::size_t i = 0; i < used.size(); ++i) {
            const PointMatch& match = m_matches[used[i]];
            const double weight = weights.empty() ? 1 : weights[i];
            const double x = (match.x - m_frame.x) / m_frame.size, y = (match.y - m_frame.y) / m_frame.size, u = (match.toX - m_frame.x) / m_frame.size, v = (match.toY - m_frame.y) / m_frame.size;
            const auto row = static_cast<std::int64_t>(2 * i);
            for (const std::int64_t second : {0, 1}) {
                const std::int64_t at = 3 * second;
                a(row + second, at) = weight * x;
                a(row + second, at + 1) = weight * y;
                a(row + second, at + 2) = weight;
                const double to = second ? v : u;
                if (m_kind == MotionKind::Perspective) {
                    a(row + second, 6) = -weight * to * x;
                    a(row + second, 7) = -weight * to * y;
                }
                a(row + second, unknowns) = weight * to;
            }
        }
        const auto solved = leastSquares(a);
        if (!solved)
            return std::nullopt;
        std::array<double, 9> n{1, 0, 0, 0, 1, 0, 0, 0, 1};
        std::ranges::copy(*solved, n.begin());
        return inPixels(n);
    }
    double residual(const GlobalMotion& motion, std::size_t match) const
    {
        const auto to = motion.at(m_matches[match].x, m_matches[match].y);
        const double across = to[0] - m_matches[match].toX, down = to[1] - m_matches[match].toY, squared = across * across + down * down;
        return squared < 1e300 ? std::sqrt(squared) : 1e300; // no number neither
    }
    std::vector<std::size_t> inliers(const GlobalMotion& motion) const
    {
        std::vector<std::size_t> inside;
        for (std::size_t i = 0; i < m_matches.size(); ++i)
            if (residual(motion, i) <= m_settings.tolerance)
                inside.push_back(i);
        return inside;
    }

private:
    /// From the frame's coordinates p = (x - c) / s to pixels: H = T^-1 N T, written out.
    GlobalMotion inPixels(const std::array<double, 9>& n) const
    {
        const double s = m_frame.size, cx = m_frame.x, cy = m_frame.y;
        // N T: rows of N times [1/s 0 -cx/s; 0 1/s -cy/s; 0 0 1]
        std::array<double, 9> h{};
        for (std::size_t row = 0; row < 3; ++row) {
            h[3 * row] = n[3 * row] / s;
            h[3 * row + 1] = n[3 * row + 1] / s;
            h[3 * row + 2] = n[3 * row + 2] - (n[3 * row] * cx + n[3 * row + 1] * cy) / s;
        }
        for (std::size_t column = 0; column < 3; ++column) {
            h[column] = s * h[column] + cx * h[6 + column];
            h[3 + column] = s * h[3 + column] + cy * h[6 + column];
        }
        GlobalMotion motion;
        for (std::size_t i = 0; i < 9; ++i)
            motion.m[i] = h[i] / h[8];
        return motion;
    }
    std::span<const PointMatch> m_matches;
    MotionKind m_kind;
    FitSettings m_settings;
    Frame2d m_frame;
};
} // namespace

std::array<double, 2> GlobalMotion::at(double x, double y) const noexcept
{
    const double depth = m[6] * x + m[7] * y + m[8];
    return {(m[0] * x + m[1] * y + m[2]) / depth, (m[3] * x + m[4] * y + m[5]) / depth};
}

std::optional<GlobalMotion> fitMotion(std::span<const PointMatch> matches, MotionKind kind, const FitSettings& settings, const RunContext& context)
{
    const Fit fit(matches, kind, settings);
    const std::size_t least = fit.least();
    if (matches.size() < 2 * least)
        return std::nullopt;
    std::uint64_t state = settings.seed;
    std::vector<std::size_t> best;
    for (std::int64_t trial = 0; trial < settings.trials; ++trial) {
        context.throwIfStopped();
        std::vector<std::size_t> chosen;
        while (chosen.size() < least) {
            const std::size_t next = nextBits(state) % matches.size();
            if (std::ranges::find(chosen, next) == chosen.end())
                chosen.push_back(next);
        }
        const auto motion = fit.solve(chosen, {});
        if (!motion)
            continue;
        auto inside = fit.inliers(*motion);
        if (inside.size() > best.size())
            best = std::move(inside);
    }
    if (best.size() < 2 * least)
        return std::nullopt;
    auto motion = fit.solve(best, {});
    for (std::int64_t i = 0; motion && i < settings.reweightings; ++i) {
        context.throwIfStopped();
        best = fit.inliers(*motion);
        if (best.size() < 2 * least)
            return std::nullopt;
        std::vector<double> weights;
        for (const std::size_t match : best) { // the root of Tukey's weight, whose reach is twice the tolerance; by the depth, so that pixels are what counts
            const double share = fit.residual(*motion, match) / (2 * settings.tolerance);
            const double depth = motion->m[6] * matches[match].x + motion->m[7] * matches[match].y + motion->m[8];
            weights.push_back((1 - share * share) / std::abs(depth));
        }
        motion = fit.solve(best, weights);
    }
    if (!motion)
        return std::nullopt;
    double squared = 0;
    best = fit.inliers(*motion);
    for (const std::size_t match : best)
        squared += fit.residual(*motion, match) * fit.residual(*motion, match);
    motion->inliers = best.size();
    motion->error = best.empty() ? 0 : std::sqrt(squared / static_cast<double>(best.size()));
    return best.size() < 2 * least ? std::nullopt : motion;
}

MotionField fieldOf(const GlobalMotion& motion, std::int64_t height, std::int64_t width, const RunContext& context)
{
    MotionField field{Plane(height, width), Plane(height, width)};
    for (std::int64_t y = 0; y < height; ++y) {
        context.throwIfStopped();
        for (std::int64_t x = 0; x < width; ++x) {
            const auto to = motion.at(static_cast<double>(x), static_cast<double>(y));
            field.dx(y, x) = static_cast<float>(to[0] - static_cast<double>(x));
            field.dy(y, x) = static_cast<float>(to[1] - static_cast<double>(y));
        }
    }
    return field;
}

} // namespace tamis::reuse
