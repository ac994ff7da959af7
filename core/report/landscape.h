// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Spectra of all layers of a role as one surface.
#include "core/report/spectrum_report.h"

#include <string>
#include <vector>

namespace tamis::report {

struct LandscapeRow {
    int layer = 0;
    std::string matrix;
    double top = 0;              ///< log10 of s_1: add it for absolute heights
    std::vector<double> height;  ///< [columns]: log10 of s_i / s_1 of this matrix, not below kLandscapeFloor
    std::vector<double> byIndex; ///< [columns]: the same at LandscapeRole::indices; NaN beyond the last singular value
};

struct LandscapeRole {
    std::string role;
    int largestRank = 0;             ///< singular values behind the last column
    std::vector<double> indices;     ///< [columns]: 1 .. largestRank in equal steps of the logarithm (index i counts from 1)
    std::vector<LandscapeRow> rows;  ///< by layer
};

struct Landscape {
    std::vector<double> position;     ///< [columns]: index over the number of singular values, 0..1
    std::vector<LandscapeRole> roles; ///< in order of first appearance
};

inline constexpr std::size_t kLandscapeColumns = 128;
inline constexpr double kLandscapeFloor = -8; ///< log10; below is rounding

/// Matrices without a spectrum are left out. Heights between two singular values are interpolated.
Landscape buildLandscape(const SpectrumReport& spectra);

} // namespace tamis::report
