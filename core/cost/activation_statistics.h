// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// How the inputs of a linear operator are distributed: what decides whether it can be quantised, pruned or factored.
#include "core/base/run_context.h"
#include "core/io/calibration.h"
#include "core/report/model_report.h"

namespace tamis::cost {

/// Of one calibration site. rms, featureRms and topFeatureShare are of all tokens (from the second moments' diagonal);
/// meanAbsolute, maximum (of magnitudes), kurtosis (fourth central moment over the squared variance, all entries as one
/// population) and outlierShare (magnitudes above 6 times the sample rows' rms) are of the sample rows, kNotMeasured
/// without any; effectiveRank is of the uncentred second moment, exp(-sum p ln p) with p_i the eigenvalues' shares, when
/// asked for (an n x n eigen-problem). A site of zeros has rank, shares and kurtosis 0.
/// Throws Error{Cancelled, NonFinite}, Error{InvalidParameter} when count is 0 or gram is not square.
report::ActivationStatistics activationStatistics(const io::CalibrationSite& site, bool withEffectiveRank = true, const RunContext& context = {});

} // namespace tamis::cost
