// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Figures that follow from singular values. Private to the lab and its tests.
#include "core/report/spectrum_report.h"

#include <vector>

namespace tamis::spectrum {

/// terms[i] >= 0 is what direction i holds; result[r] = terms[r] + terms[r + 1] + ..., [size + 1], summed from the small end.
std::vector<double> tailSums(const std::vector<double>& terms);

/// The same when only the leading terms are known beside the total: result[r] = max(0, total - terms[0] - ... - terms[r-1]).
std::vector<double> remainders(double total, const std::vector<double>& terms);

/// Number of eigenvalues behind the Hill estimate: the leading tenth, at least 5.
std::size_t hillCount(std::size_t p) noexcept;

/// Exponent a of a density ~ lambda^-a in the tail of the eigenvalues lambda_i = s_i^2, descending:
/// 1 + k / sum_{i<k} ln(lambda_i / lambda_k), k = hillCount (Hill 1975). NaN with fewer than k + 1 positive values or when
/// the leading k + 1 are equal.
double hillExponent(const std::vector<double>& singularValues);

/// Fills stableRank, effectiveRank, nuclearNorm, condition, tailExponent from singularValues and the squared Frobenius norm
/// (which a preview knows although it lacks values). In a preview only stableRank and tailExponent are defined.
void deriveFigures(report::MatrixSpectrum& spectrum, double squaredNorm);

} // namespace tamis::spectrum
