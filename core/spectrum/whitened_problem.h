// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The whitened problem of one matrix, without inverses. Private to the lab.
//
// The rank-r pair that minimises |(W - BA) X|_F is B A = U_r U_r^T W, U the left singular vectors of W C^{1/2}, that is,
// eigenvectors of K = W C W^T. For a tall W = Q R the same with R in the place of W, and U = Q U': Q is only needed for
// factors.
#include "core/base/parameter_schema.h"
#include "core/base/run_context.h"
#include "core/io/calibration.h"
#include "core/linalg/whitening.h"
#include "core/spectrum/method.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::spectrum {

enum class Form { Output, Cholesky, Eigen };
enum class StatisticsSource { Gram, Samples };

struct WhitenedSettings {
    explicit WhitenedSettings(const Parameters& complete);
    double ridge = 0; ///< relative to the mean of C's diagonal
    Form form = Form::Output;
    StatisticsSource source = StatisticsSource::Gram;
    bool baseline = true; ///< the plain SVD's loss beside it
};

/// C and what is added to its diagonal.
struct Statistics {
    tensor::Matrix<double> c;        ///< [n, n], without ridge
    std::uint64_t tokens = 0;
    linalg::GramCondition condition; ///< of c; rank 0 and NaN when it was not asked for
    double ridge = 0;                ///< absolute, as the user asked
    /// The ridge, or, with none and a singular C, 1e-12 of the mean diagonal: directions that no token shows are then
    /// ordered by the weight's own energy.
    double added = 0;
    std::vector<std::string> warnings;
};

/// Throws Error{InvalidParameter} when the site lacks the samples that were asked for.
Statistics makeStatistics(const io::CalibrationSite& site, const WhitenedSettings& settings, bool withCondition, const RunContext& context);

struct WhitenedSolution {
    tensor::Matrix<double> reduced;  ///< W [m, n], or R [n, n] for a tall W
    tensor::Matrix<double> q;        ///< [m, n] for a tall W when factors were asked for, else empty
    tensor::Matrix<double> vectors;  ///< [p, p]: row i is u_i (of W, or u'_i of R)
    std::vector<double> kept;        ///< [p]: u_i^T W C W^T u_i without ridge: what direction i carries of the loss
    std::vector<double> squares;     ///< [p]: squared singular values, ridge included, descending
    std::vector<std::string> warnings;
};

/// `w` [m, n] finite, n = side of statistics.c.
WhitenedSolution solveWhitened(tensor::Matrix<double> w, const Statistics& statistics, Form form, bool forFactors, const RunContext& context);

/// terms[i] = |u_i^T W X^T|^2 over the rows of X [t, n]: what direction i carries on these tokens.
std::vector<double> measuredTerms(const tensor::Matrix<double>& reduced, tensor::MatrixView<const double> vectors,
                                  tensor::MatrixView<const float> rows, const RunContext& context);

/// u_i^T W C W^T u_i: what direction i carries of the loss under C, without ridge.
std::vector<double> keptBy(const tensor::Matrix<double>& vectors, const tensor::Matrix<double>& w, const tensor::Matrix<double>& c, const RunContext& context);

/// Loss under C of the plain SVD's factors at every rank: with U the left singular vectors of W alone (of R for a tall W,
/// which has W's), the pair U_r U_r^T W leaves sum_{i>r} u_i^T W C W^T u_i.
std::vector<double> plainLoss(const tensor::Matrix<double>& reduced, const tensor::Matrix<double>& c, const RunContext& context);

/// Why there can be no curves ("...: no whitened spectrum."), or nothing.
std::string whyNoSite(const io::CalibrationSet& calibration, const io::MatrixRef& matrix, const std::string& what);

/// B = U_r (or Q U'_r), A = U_r^T W (or U'_r^T R).
Factors factorsFrom(const WhitenedSolution& solution, std::int64_t rows, std::int64_t rank, const RunContext& context);

double whitenedMacs(std::int64_t m, std::int64_t n) noexcept;
std::uint64_t whitenedBytes(std::int64_t m, std::int64_t n) noexcept;

} // namespace tamis::spectrum
