// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/key_memory.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/linalg/gemm.h"
#include "core/linalg/triangular_solve.h"
#include "core/linalg/whitening.h"

#include <algorithm>
#include <cmath>

namespace tamis::addressing {
namespace {
using tensor::Matrix;
using tensor::MatrixView;

/// Asks whether to stop after every so many multiply-adds, some milliseconds of them.
class StopAfterWork {
public:
    explicit StopAfterWork(const RunContext& context) : m_context(context) {}
    void did(std::size_t work)
    {
        m_done += work;
        if (m_done < kWork)
            return;
        m_done = 0;
        m_context.throwIfStopped();
    }

private:
    static constexpr std::size_t kWork = std::size_t{1} << 20U;
    const RunContext& m_context;
    std::size_t m_done = kWork;
};

[[noreturn]] void invalid(const std::string& sentence, const std::string& subject) { throw Error(ErrorCode::InvalidParameter, sentence, subject); }

void requireRows(std::size_t reads, std::int64_t rows)
{
    if (rows < 1 || static_cast<std::int64_t>(reads) != rows)
        invalid("found the reads of " + std::to_string(reads) + " rows for " + std::to_string(rows) + " outputs, expected as many and at least one", "memory");
}

std::vector<double> meanOf(MatrixView<const float> y)
{
    std::vector<double> mean(static_cast<std::size_t>(y.cols));
    for (std::int64_t t = 0; t < y.rows; ++t)
        for (std::size_t j = 0; j < mean.size(); ++j)
            mean[j] += static_cast<double>(y(t, static_cast<std::int64_t>(j)));
    for (double& value : mean)
        value /= static_cast<double>(y.rows);
    return mean;
}

/// sum |y - mean y|^2, refused where it is nothing.
double variance(MatrixView<const float> y)
{
    const auto mean = meanOf(y);
    double sum = 0;
    for (std::int64_t t = 0; t < y.rows; ++t)
        for (std::size_t j = 0; j < mean.size(); ++j) {
            const double d = static_cast<double>(y(t, static_cast<std::int64_t>(j))) - mean[j];
            sum += d * d;
        }
    if (!(sum > 0))
        invalid("all outputs are alike or not finite: nothing is left to explain", "memory");
    return sum;
}

double squaredDistance(std::span<const float> a, std::span<const float> b)
{
    double sum = 0;
    for (std::size_t j = 0; j < a.size(); ++j) {
        const double d = static_cast<double>(a[j]) - static_cast<double>(b[j]);
        sum += d * d;
    }
    return sum;
}

/// X with (A) X = B for a symmetric positive definite A, in place of B.
void solveSymmetric(Matrix<double> a, Matrix<double>& b, const RunContext& context)
{
    const auto root = linalg::choleskyRoot(std::move(a), context);
    if (!root)
        throw Error(ErrorCode::NonFinite, "the normal equations are not positive definite, expected finite rows and a ridge above 0", "ridge");
    linalg::solveLeft(linalg::Op::None, root->view(), b.view(), context);
    linalg::solveLeft(linalg::Op::Transpose, root->view(), b.view(), context);
}

/// Columns of x and a column of ones.
Matrix<double> withOnes(MatrixView<const float> x)
{
    Matrix<double> all(x.rows, x.cols + 1);
    for (std::int64_t t = 0; t < x.rows; ++t) {
        for (std::int64_t j = 0; j < x.cols; ++j)
            all(t, j) = static_cast<double>(x(t, j));
        all(t, x.cols) = 1;
    }
    return all;
}
} // namespace

KeyMemory::KeyMemory(AddresserPtr addresser, std::span<const Reads> reads, MatrixView<const float> y, ValueFit fit, double ridge, const RunContext& context) : m_addresser(std::move(addresser))
{
    requireRows(reads.size(), y.rows);
    if (!(ridge > 0) || !std::isfinite(ridge))
        invalid("found " + std::to_string(ridge) + ", expected more than 0", "ridge");
    const std::int64_t cells = m_addresser->cells();
    if (fit == ValueFit::LeastSquares && cells > kMostSolvedCells)
        throw Error(ErrorCode::LimitExceeded, "found " + std::to_string(cells) + " cells, expected at most " + std::to_string(kMostSolvedCells) + " to solve for (means have no limit)", "values");
    const auto numbers = static_cast<std::uint64_t>(cells) * static_cast<std::uint64_t>(y.cols);
    const auto square = fit == ValueFit::LeastSquares ? static_cast<std::uint64_t>(cells) * static_cast<std::uint64_t>(cells) : 0;
    requireMemory((sizeof(float) + (square > 0 ? 2 : 1) * sizeof(double)) * numbers + 2 * sizeof(double) * square, "a memory of " + std::to_string(cells) + " cells");
    const auto mean = meanOf(y);
    m_mean.assign(mean.begin(), mean.end());
    Matrix<double> target(cells, y.cols); // G^T (Y - mean)
    StopAfterWork stop(context);
    for (std::int64_t t = 0; t < y.rows; ++t) {
        const Reads& row = reads[static_cast<std::size_t>(t)];
        for (std::size_t i = 0; i < row.cells.size(); ++i)
            for (std::size_t j = 0; j < mean.size(); ++j)
                target(row.cells[i], static_cast<std::int64_t>(j)) += static_cast<double>(row.weights[i]) * (static_cast<double>(y(t, static_cast<std::int64_t>(j))) - mean[j]);
        stop.did(row.cells.size() * mean.size());
    }
    m_values = Matrix<float>(cells, y.cols);
    if (fit == ValueFit::LeastSquares)
        solve(reads, target, ridge, context);
    else
        average(reads, target, ridge, context);
    if (!std::ranges::all_of(m_values.values(), [](float value) { return std::isfinite(value); }))
        throw Error(ErrorCode::NonFinite, "the outputs to be kept hold NaN or infinity", "memory");
}

void KeyMemory::solve(std::span<const Reads> reads, const Matrix<double>& target, double ridge, const RunContext& context)
{
    Matrix<double> gram(target.rows(), target.rows());
    StopAfterWork stop(context);
    for (const Reads& row : reads) {
        for (std::size_t a = 0; a < row.cells.size(); ++a)
            for (std::size_t b = 0; b < row.cells.size(); ++b)
                gram(row.cells[a], row.cells[b]) += static_cast<double>(row.weights[a]) * static_cast<double>(row.weights[b]);
        stop.did(row.cells.size() * row.cells.size());
    }
    Matrix<double> values = target;
    solveSymmetric(linalg::withRidge(std::move(gram), ridge), values, context);
    std::ranges::transform(values.values(), m_values.values().begin(), [](double value) { return static_cast<float>(value); });
}

void KeyMemory::average(std::span<const Reads> reads, const Matrix<double>& target, double ridge, const RunContext& context)
{
    StopAfterWork stop(context);
    std::vector<double> weights(static_cast<std::size_t>(target.rows()), ridge);
    for (const Reads& row : reads) {
        for (std::size_t i = 0; i < row.cells.size(); ++i)
            weights[static_cast<std::size_t>(row.cells[i])] += static_cast<double>(row.weights[i]);
        stop.did(row.cells.size());
    }
    for (std::int64_t cell = 0; cell < target.rows(); ++cell) {
        for (std::int64_t j = 0; j < target.cols(); ++j)
            m_values(cell, j) = static_cast<float>(target(cell, j) / weights[static_cast<std::size_t>(cell)]);
        stop.did(static_cast<std::size_t>(target.cols()));
    }
}

void KeyMemory::combine(const Reads& reads, std::span<float> y) const
{
    std::ranges::copy(m_mean, y.begin());
    for (std::size_t i = 0; i < reads.cells.size(); ++i) {
        const auto value = m_values.view().row(reads.cells[i]);
        for (std::size_t j = 0; j < y.size(); ++j)
            y[j] += reads.weights[i] * value[j];
    }
}

double unexplained(const KeyMemory& memory, std::span<const Reads> reads, MatrixView<const float> y, const RunContext& context)
{
    requireRows(reads.size(), y.rows);
    std::vector<float> guess(static_cast<std::size_t>(y.cols));
    double sum = 0;
    StopAfterWork stop(context);
    for (std::int64_t t = 0; t < y.rows; ++t) {
        const Reads& row = reads[static_cast<std::size_t>(t)];
        memory.combine(row, guess);
        sum += squaredDistance(y.row(t), guess);
        stop.did((row.cells.size() + 1) * guess.size());
    }
    return sum / variance(y);
}

double unexplainedBy(std::span<const float> constant, MatrixView<const float> y)
{
    if (static_cast<std::int64_t>(constant.size()) != y.cols)
        invalid("found an output of width " + std::to_string(constant.size()) + ", expected " + std::to_string(y.cols), "memory");
    double sum = 0;
    for (std::int64_t t = 0; t < y.rows; ++t)
        sum += squaredDistance(y.row(t), constant);
    return sum / variance(y);
}

double unexplainedByAffine(MatrixView<const float> x, MatrixView<const float> y, MatrixView<const float> x2, MatrixView<const float> y2, const RunContext& context)
{
    requireRows(static_cast<std::size_t>(x.rows), y.rows);
    requireRows(static_cast<std::size_t>(x2.rows), y2.rows);
    const Matrix<double> from = withOnes(x), to = linalg::toDouble(y), from2 = withOnes(x2);
    Matrix<double> gram = linalg::gram(from.view(), linalg::Side::Columns, context), map = linalg::product(linalg::Op::Transpose, linalg::Op::None, from.view(), to.view(), context);
    const double ridge = 1e-9 * linalg::meanDiagonal(gram); // rows may be fewer than features
    solveSymmetric(linalg::withRidge(std::move(gram), ridge), map, context);
    const Matrix<double> guess = linalg::product(from2.view(), map.view(), context);
    double sum = 0;
    for (std::int64_t t = 0; t < y2.rows; ++t)
        for (std::int64_t j = 0; j < y2.cols; ++j)
            sum += (static_cast<double>(y2(t, j)) - guess(t, j)) * (static_cast<double>(y2(t, j)) - guess(t, j));
    return sum / variance(y2);
}

std::vector<double> fisherCosts(const KeyMemory& memory, std::span<const Reads> reads, MatrixView<const float> y, const RunContext& context)
{
    requireRows(reads.size(), y.rows);
    // Over components, the sum of v_e is the mean of w^2 |y' - y|^2: its root is |sqrt(v_e)|.
    std::vector<double> costs(static_cast<std::size_t>(memory.addresser().cells()));
    std::vector<float> guess(static_cast<std::size_t>(y.cols));
    StopAfterWork stop(context);
    for (std::int64_t t = 0; t < y.rows; ++t) {
        const Reads& row = reads[static_cast<std::size_t>(t)];
        stop.did((row.cells.size() + 1) * guess.size());
        memory.combine(row, guess);
        const double error = squaredDistance(y.row(t), guess);
        for (std::size_t i = 0; i < row.cells.size(); ++i)
            costs[static_cast<std::size_t>(row.cells[i])] += static_cast<double>(row.weights[i]) * static_cast<double>(row.weights[i]) * error / static_cast<double>(y.rows);
    }
    for (double& cost : costs)
        cost = std::sqrt(cost);
    return costs;
}

} // namespace tamis::addressing
