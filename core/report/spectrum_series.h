// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Curves of a spectrum report, built in the worker.
#include "core/report/series.h"
#include "core/report/spectrum_report.h"

#include <string>
#include <vector>

namespace tamis::report {

enum class Curve {
    SingularValues,   ///< s_i over i = 1..p
    CumulativeEnergy, ///< 1 - loss[r] / loss[0] over the rank r
    Loss,             ///< loss[r], squared
    RelativeLoss      ///< loss[r] / loss[0]
};

struct SeriesOptions {
    Curve curve = Curve::RelativeLoss;
    bool heldOut = true;     ///< dashed, for the loss curves
    bool sample = false;     ///< dashed, on the sample rows
    bool baseline = true;    ///< dashed: plain SVD under the same calibration, where the report has it
    bool normalised = false; ///< singular values over the largest
    bool operator==(const SeriesOptions&) const = default;
};

inline constexpr std::size_t kSeriesPoints = 4000; ///< in all curves of one chart

/// One solid curve for each named matrix that has one, in the order of `matrices`, its companions dashed in the same group.
/// At most kSeriesPoints points in all. Loss curves of held-out or sample rows are per token where they stand beside the
/// calibration's: Loss is divided by the number of tokens behind it.
std::vector<Series> buildSpectrumSeries(const SpectrumReport& spectra, const std::vector<std::string>& matrices,
                                        const SeriesOptions& options);

} // namespace tamis::report
