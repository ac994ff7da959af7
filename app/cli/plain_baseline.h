// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The trivial baseline of a whitened decomposition: the plain SVD at the same ranks, judged under the same calibration.
#include "core/report/budget_report.h"
#include "core/report/spectrum_report.h"
#include "core/spectrum/method.h"

#include <limits>
#include <vector>

namespace tamis::cli {

/// Losses relative to the energy |W X|_F^2 that the same rows carry; NaN: not defined.
struct RelativeLoss {
    double calibrated = std::numeric_limits<double>::quiet_NaN();
    double heldOut = std::numeric_limits<double>::quiet_NaN();
};

/// Means over the matrices that count: compressible, with a curve and energy to lose. Dense ones lose nothing.
RelativeLoss meanLoss(const report::SpectrumReport& spectra, const std::vector<RelativeLoss>& losses);

/// Losses of all those matrices together over their energy together: what the greedy allocation minimises.
RelativeLoss totalLoss(const report::SpectrumReport& spectra, const std::vector<RelativeLoss>& losses);

/// What `budget` loses by the method that made `spectra`, a matrix each.
std::vector<RelativeLoss> lossesOf(const report::BudgetReport& budget);

/// The factors of spectrum.plain at the ranks of `budget`, with loss |(W - BA) X|_F^2 = tr(D C D^T), D = W - BA, over the
/// statistics that `spectra` was made from (gram, or the sample rows where its parameter "statistics" is "samples"), and
/// |D X_h^T|_F^2 on the held-out rows. One entry a matrix; matrices without a site are NaN. Throws Error{Cancelled, ...}.
std::vector<RelativeLoss> plainLosses(const spectrum::Inputs& inputs, const report::SpectrumReport& spectra,
                                      const report::BudgetReport& budget, const RunContext& context);

} // namespace tamis::cli
