// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/whitened_pair.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/linalg/triangular_solve.h"
#include "core/linalg/whitening.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

namespace tamis::lowrank {
namespace {
using linalg::Op;
using linalg::Side;
using tensor::Matrix;

double tailOf(const std::vector<double>& squares, std::int64_t rank)
{
    return std::accumulate(squares.rbegin(), squares.rend() - rank, 0.0, [](double sum, double square) { return sum + std::max(0.0, square); });
}

double trace(const Matrix<double>& k)
{
    double sum = 0;
    for (std::int64_t i = 0; i < k.rows(); ++i)
        sum += k(i, i);
    return sum;
}

WhitenedPair wide(const Matrix<double>& w, Matrix<double> c, double ridge, std::int64_t rank, const RunContext& context)
{
    context.setParts(10);
    Matrix<double> image = linalg::product(w.view(), c.view(), context.part(4, "W C"));
    c = {};
    Matrix<double> k = linalg::product(Op::None, Op::Transpose, image.view(), w.view(), context.part(2, "W C W^T"));
    image = {};
    WhitenedPair result;
    result.energy = trace(k);
    if (ridge > 0) {
        const Matrix<double> own = linalg::gramUpper(w.view(), Side::Rows, context);
        for (std::size_t i = 0; i < k.size(); ++i)
            k.values()[i] += ridge * own.values()[i];
    }
    const linalg::SymmetricEigen eigen = linalg::symmetricEigen(std::move(k), context.part(3, "eigenvectors"));
    const linalg::ConstView u{eigen.vectors.data(), rank, w.rows(), w.rows()};
    result.a = linalg::product(u, w.view(), context.part(1, "factors"));
    result.b = Matrix<double>(w.rows(), rank);
    for (std::int64_t i = 0; i < rank; ++i)
        for (std::int64_t j = 0; j < w.rows(); ++j)
            result.b(j, i) = u(i, j);
    // B's columns are orthonormal: |W - B A|^2 = |W|^2 - |A|^2.
    const double residual = ridge > 0 ? linalg::squaredNorm(w.view()) - linalg::squaredNorm(result.a.view()) : 0.0;
    result.loss = std::max(0.0, tailOf(eigen.values, rank) - ridge * residual);
    return result;
}

/// The Cholesky root of C + ridge I; `ridge` becomes what it took.
Matrix<double> rootOf(const Matrix<double>& c, double mean, double& ridge, std::vector<std::string>& warnings, const RunContext& context)
{
    constexpr double kLeast = 1e-12, kMost = 1.0; // of the mean diagonal
    for (double relative = ridge / mean;; relative = std::max(10 * relative, kLeast)) {
        if (auto root = linalg::choleskyRoot(linalg::withRidge(c, relative * mean), context)) {
            if (relative * mean > ridge) {
                char text[32];
                std::snprintf(text, sizeof text, "%.3g", relative);
                warnings.push_back(std::string("The calibration statistics are singular; a ridge of ") + text + " x mean diagonal was used.");
            }
            ridge = relative * mean;
            return std::move(*root);
        }
        if (relative > kMost)
            throw Error(ErrorCode::NonFinite, "the calibration statistics have no Cholesky root even with a ridge of their mean diagonal");
    }
}

WhitenedPair tall(const Matrix<double>& w, Matrix<double> c, double ridge, std::int64_t rank, const RunContext& context)
{
    context.setParts(10);
    WhitenedPair result;
    const Matrix<double> root = rootOf(c, linalg::meanDiagonal(c), ridge, result.warnings, context.part(1, "Cholesky"));
    c = {};
    const Matrix<double> s = linalg::product(w.view(), root.view(), context.part(3, "W L"));
    const linalg::SymmetricEigen eigen = linalg::symmetricEigen(linalg::gramUpper(s.view(), Side::Columns, context.part(1, "Gram matrix")), context.part(3, "eigenvectors"));
    const linalg::ConstView v{eigen.vectors.data(), rank, w.cols(), w.cols()};
    result.b = linalg::product(Op::None, Op::Transpose, s.view(), v, context.part(1, "factors"));
    result.a = Matrix<double>(rank, w.cols());
    std::copy_n(v.data, rank * w.cols(), result.a.data());
    linalg::solveRight(Op::None, root.view(), result.a.view(), context.part(1, "factors"));
    double residual = 0;
    if (ridge > 0) {
        Matrix<double> rest = w;
        linalg::gemm(Op::None, Op::None, -1.0, result.b.view(), result.a.view(), 1.0, rest.view(), context);
        residual = linalg::squaredNorm(rest.view());
    }
    result.energy = std::max(0.0, linalg::squaredNorm(s.view()) - ridge * linalg::squaredNorm(w.view()));
    result.loss = std::max(0.0, tailOf(eigen.values, rank) - ridge * residual);
    return result;
}
} // namespace

WhitenedPair whitenedPair(Matrix<double> w, Matrix<double> c, double ridge, std::int64_t rank, const RunContext& context)
{
    if (c.rows() != w.cols() || c.cols() != w.cols())
        throw Error(ErrorCode::InvalidParameter, "found statistics of " + std::to_string(c.rows()) + " inputs, expected " + std::to_string(w.cols()));
    if (rank < 1 || rank > std::min(w.rows(), w.cols()))
        throw Error(ErrorCode::InvalidParameter, "found rank " + std::to_string(rank) + ", expected 1 to " + std::to_string(std::min(w.rows(), w.cols())), "rank");
    if (const auto found = tensor::countNonFinite(std::span<const double>(w.values())); found.total() > 0)
        throw Error(ErrorCode::NonFinite, "the weight holds " + std::to_string(found.total()) + " numbers that are NaN or infinite");
    const double mean = linalg::meanDiagonal(c);
    if (!(mean > 0))
        throw Error(ErrorCode::InvalidParameter, "the calibration statistics are zero: every input that they saw is zero");
    return w.rows() <= w.cols() ? wide(w, std::move(c), ridge * mean, rank, context) : tall(w, std::move(c), ridge * mean, rank, context);
}

std::uint64_t whitenedPairBytes(std::int64_t rows, std::int64_t cols, std::int64_t rank) noexcept
{
    const auto m = static_cast<std::uint64_t>(rows), n = static_cast<std::uint64_t>(cols), r = static_cast<std::uint64_t>(rank), p = std::min(m, n);
    return 8 * (3 * m * n + 2 * n * n + p * p + r * (m + n)) + linalg::symmetricEigenBytes(std::min(rows, cols));
}

double whitenedPairMacs(std::int64_t rows, std::int64_t cols, std::int64_t rank) noexcept
{
    const auto m = static_cast<double>(rows), n = static_cast<double>(cols), r = static_cast<double>(rank), p = std::min(m, n);
    return m * n * n + p * p * std::max(m, n) + m * n * r + linalg::symmetricEigenMacs(std::min(rows, cols));
}

} // namespace tamis::lowrank
