// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/spectrum/whitened_problem.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/qr.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/spectrum/curves.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <numeric>

namespace tamis::spectrum {
namespace {
using linalg::Op;
using linalg::Side;
using tensor::Matrix;
constexpr double kTieBreak = 1e-12; // of the mean diagonal: orders what C does not see, moves nothing that it does

std::string inWords(double value)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", value);
    return text;
}

/// The matrix S of C + added I = S S^T by the form that was asked for; Cholesky gives way to the eigen form.
Matrix<double> rootOf(const Statistics& statistics, Form form, std::vector<std::string>& warnings, const RunContext& context)
{
    Matrix<double> c = linalg::withRidge(statistics.c, statistics.added);
    if (form == Form::Cholesky) {
        if (auto root = linalg::choleskyRoot(c, context.part(1, "Cholesky")))
            return std::move(*root);
        warnings.push_back("Cholesky failed: C with its ridge is not numerically positive definite; the eigen form was used instead. "
                           "A ridge of 1e-4 or more would help.");
    }
    return linalg::eigenRoot(std::move(c), context.part(4, "eigen root"));
}

/// u_i^T K u_i for all rows u_i.
std::vector<double> quotients(const Matrix<double>& vectors, const Matrix<double>& k, const RunContext& context)
{
    const Matrix<double> image = linalg::product(vectors.view(), k.view(), context);
    std::vector<double> result(static_cast<std::size_t>(vectors.rows()));
    for (std::int64_t i = 0; i < vectors.rows(); ++i) {
        double sum = 0;
        for (std::int64_t j = 0; j < vectors.cols(); ++j)
            sum += vectors(i, j) * image(i, j);
        result[static_cast<std::size_t>(i)] = std::max(0.0, sum);
    }
    return result;
}
} // namespace

WhitenedSettings::WhitenedSettings(const Parameters& complete) : ridge(complete.real("ridge"))
{
    const std::string& name = complete.text("form");
    form = name == "cholesky" ? Form::Cholesky : name == "eigen" ? Form::Eigen : Form::Output;
    source = complete.text("statistics") == "samples" ? StatisticsSource::Samples : StatisticsSource::Gram;
    baseline = complete.boolean("baseline");
}

Statistics makeStatistics(const io::CalibrationSite& site, const WhitenedSettings& settings, bool withCondition, const RunContext& context)
{
    Statistics result;
    if (settings.source == StatisticsSource::Samples) {
        if (site.samples.empty())
            throw Error(ErrorCode::InvalidParameter, "has no sample rows, but statistics=samples needs them", site.name);
        result.c = linalg::gram(site.samples.view(), Side::Columns, context);
        result.tokens = static_cast<std::uint64_t>(site.samples.rows());
    } else {
        result.c = site.gram;
        result.tokens = site.count;
    }
    const double mean = linalg::meanDiagonal(result.c);
    result.ridge = result.added = settings.ridge * mean;
    if (!withCondition) {
        result.condition = {.rank = 0, .condition = std::numeric_limits<double>::quiet_NaN(), .meanDiagonal = mean};
        return result;
    }
    const std::int64_t n = result.c.rows();
    result.condition = linalg::gramCondition(linalg::symmetricEigenvalues(result.c, context), mean);
    if (result.condition.rank < n && settings.ridge == 0) {
        result.added = kTieBreak * mean;
        result.warnings.push_back("The calibration shows " + std::to_string(result.condition.rank) + " of " + std::to_string(n) +
                                  " input directions (" + std::to_string(result.tokens) +
                                  " tokens): the loss ignores the others. A ridge of 1e-4 to 1e-2 is recommended; the held-out loss shows "
                                  "what it is worth.");
    } else if (result.condition.condition > 1e10 && settings.ridge == 0) {
        result.warnings.push_back("The calibration statistics are ill-conditioned (" + inWords(result.condition.condition) +
                                  "); a small ridge (1e-6 to 1e-2) is recommended.");
    }
    return result;
}

WhitenedSolution solveWhitened(Matrix<double> w, const Statistics& statistics, Form form, bool forFactors, const RunContext& context)
{
    context.setParts(10);
    WhitenedSolution solution;
    if (w.rows() <= w.cols()) {
        solution.reduced = std::move(w);
    } else if (forFactors) {
        linalg::ThinQr qr = linalg::thinQr(w.view(), context.part(2, "QR"));
        solution.reduced = std::move(qr.r);
        solution.q = std::move(qr.q);
    } else {
        solution.reduced = linalg::thinQrTriangle(w.view(), context.part(2, "QR"));
    }
    const Matrix<double>& a = solution.reduced;
    const Matrix<double> plain =
        linalg::product(Op::None, Op::Transpose, linalg::product(a.view(), statistics.c.view(), context).view(), a.view(), context);
    Matrix<double> k;
    if (form == Form::Output) {
        k = plain;
        if (statistics.added > 0) {
            const Matrix<double> energy = linalg::gram(a.view(), Side::Rows, context);
            for (std::size_t i = 0; i < k.size(); ++i)
                k.data()[i] += statistics.added * energy.data()[i];
        }
    } else {
        const Matrix<double> root = rootOf(statistics, form, solution.warnings, context.part(3, "square root"));
        k = linalg::gramUpper(linalg::product(a.view(), root.view(), context).view(), Side::Rows, context);
    }
    linalg::SymmetricEigen eigen = linalg::symmetricEigen(std::move(k), context.part(5, "eigenvectors"));
    solution.vectors = std::move(eigen.vectors);
    // Rayleigh quotients without the ridge: no cancellation, whatever was added to order the directions.
    solution.kept = quotients(solution.vectors, plain, context);
    solution.squares = statistics.ridge > 0 ? std::move(eigen.values) : solution.kept;
    for (double& square : solution.squares)
        square = std::max(square, 0.0);
    std::ranges::sort(solution.squares, std::greater<>());
    return solution;
}

std::vector<double> measuredTerms(const Matrix<double>& reduced, tensor::MatrixView<const double> vectors,
                                  tensor::MatrixView<const float> rows, const RunContext& context)
{
    const Matrix<double> x = linalg::toDouble(rows);
    const Matrix<double> outputs = linalg::product(Op::None, Op::Transpose, reduced.view(), x.view(), context); // [p, t]
    const Matrix<double> coordinates = linalg::product(vectors, outputs.view(), context);
    std::vector<double> terms(static_cast<std::size_t>(vectors.rows));
    for (std::int64_t i = 0; i < vectors.rows; ++i)
        terms[static_cast<std::size_t>(i)] = linalg::squaredNorm({coordinates.data() + i * coordinates.cols(), 1, coordinates.cols(), coordinates.cols()});
    return terms;
}

double whitenedMacs(std::int64_t rows, std::int64_t cols) noexcept
{
    const auto m = static_cast<double>(rows), n = static_cast<double>(cols), p = std::min(m, n);
    const double qr = rows > cols ? m * n * n : 0.0;
    const double baseline = 2 * p * p * n + p * n * n + linalg::symmetricEigenMacs(std::min(rows, cols));
    return qr + p * n * n + p * p * n + linalg::symmetricEigenMacs(std::min(rows, cols)) + p * p * p + linalg::symmetricEigenvaluesMacs(cols) + baseline;
}

std::uint64_t whitenedBytes(std::int64_t rows, std::int64_t cols) noexcept
{
    const auto m = static_cast<std::uint64_t>(rows), n = static_cast<std::uint64_t>(cols), p = std::min(m, n);
    return 8 * (3 * m * n + 3 * n * n + 2 * p * p) + linalg::symmetricEigenBytes(std::min(rows, cols));
}

std::vector<double> keptBy(const Matrix<double>& vectors, const Matrix<double>& w, const Matrix<double>& c, const RunContext& context)
{
    const Matrix<double> a = linalg::product(vectors.view(), w.view(), context);
    const Matrix<double> ac = linalg::product(a.view(), c.view(), context);
    std::vector<double> kept;
    for (std::int64_t i = 0; i < a.rows(); ++i)
        kept.push_back(std::inner_product(a.view().row(i).begin(), a.view().row(i).end(), ac.view().row(i).begin(), 0.0));
    return kept;
}

std::vector<double> plainLoss(const Matrix<double>& reduced, const Matrix<double>& c, const RunContext& context)
{
    const auto plain = linalg::symmetricEigen(linalg::gramUpper(reduced.view(), linalg::Side::Rows, context), context);
    return tailSums(keptBy(plain.vectors, reduced, c, context));
}

std::string whyNoSite(const io::CalibrationSet& calibration, const io::MatrixRef& matrix, const std::string& what)
{
    const auto features = calibration.features(matrix.name);
    if (!features)
        return "The calibration set has no site of this name: no " + what + ".";
    if (*features != matrix.cols)
        return "The calibration site has " + std::to_string(*features) + " features, the matrix " + std::to_string(matrix.cols) +
               " inputs: no " + what + ".";
    return {};
}

Factors factorsFrom(const WhitenedSolution& solution, std::int64_t rows, std::int64_t rank, const RunContext& context)
{
    const Matrix<double>& u = solution.vectors;
    const linalg::ConstView leading{u.data(), rank, u.cols(), u.cols()};
    Factors result{Matrix<double>(rows, rank), Matrix<double>(rank, solution.reduced.cols())};
    if (rank == 0)
        return result;
    linalg::gemm(Op::None, Op::None, 1.0, leading, solution.reduced.view(), 0.0, result.a.view(), context);
    if (!solution.q.empty()) {
        linalg::gemm(Op::None, Op::Transpose, 1.0, solution.q.view(), leading, 0.0, result.b.view(), context);
        return result;
    }
    for (std::int64_t k = 0; k < rank; ++k)
        for (std::int64_t i = 0; i < rows; ++i)
            result.b(i, k) = u(k, i);
    return result;
}

} // namespace tamis::spectrum
