// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// One motion of the whole picture, fitted to matches of which some are wrong.
#include "core/base/run_context.h"
#include "core/reuse/motion_field.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace tamis::reuse {

struct PointMatch {
    double x = 0, y = 0;   ///< now
    double toX = 0, toY = 0; ///< in the earlier frame
};

enum class MotionKind { Affine, Perspective };

/// (x, y) goes to (m0 x + m1 y + m2, m3 x + m4 y + m5) / (m6 x + m7 y + m8); m8 = 1, and m6 = m7 = 0 for an affine map.
struct GlobalMotion {
    std::array<double, 9> m{1, 0, 0, 0, 1, 0, 0, 0, 1};
    std::size_t inliers = 0; ///< matches within the tolerance
    double error = 0;        ///< of these, root mean square, pixels
    std::array<double, 2> at(double x, double y) const noexcept;
};

struct FitSettings {
    double tolerance = 1;           ///< pixels
    std::int64_t trials = 200;      ///< of RANSAC
    std::int64_t reweightings = 10; ///< of least squares over the inliers, Tukey's weights
    std::uint64_t seed = 0;
};

/// RANSAC over least sets (three matches, four), then reweighted least squares (Fischler and Bolles 1981; Beaton and Tukey 1974). Nothing where fewer than
/// twice a least set agree. Throws Error{Cancelled}.
std::optional<GlobalMotion> fitMotion(std::span<const PointMatch> matches, MotionKind kind, const FitSettings& settings, const RunContext& context = {});

/// Throws Error{Cancelled}.
MotionField fieldOf(const GlobalMotion& motion, std::int64_t height, std::int64_t width, const RunContext& context = {});

} // namespace tamis::reuse
