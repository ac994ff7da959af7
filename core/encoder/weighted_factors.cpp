// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/weighted_factors.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/linalg/gemm.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/linalg/whitening.h"

#include <algorithm>
#include <cmath>

namespace tamis::encoder {
namespace {
using linalg::Op;
using tensor::Matrix;
using tensor::MatrixView;
} // namespace

Matrix<double> productOfRows(MatrixView<const float> w, const Matrix<double>& a, double factor, const RunContext& context)
{
    constexpr std::int64_t kPiece = 4096;
    Matrix<double> result(w.rows, a.rows());
    for (std::int64_t first = 0; first < w.rows; first += kPiece) {
        const std::int64_t count = std::min(kPiece, w.rows - first);
        const Matrix<double> piece = linalg::toDouble({w.data + first * w.stride, count, w.cols, w.stride});
        linalg::gemm(Op::None, Op::Transpose, factor, piece.view(), a.view(), 0, {result.data() + first * a.rows(), count, a.rows(), a.rows()}, context);
    }
    return result;
}

Moments momentsOf(MatrixView<const float> rows, bool centre, const RunContext& context)
{
    if (rows.rows < 1)
        throw Error(ErrorCode::InvalidParameter, "found no calibration rows, expected activations to weigh the directions by");
    const double count = static_cast<double>(rows.rows);
    Moments moments;
    moments.c = linalg::gram(rows, linalg::Side::Columns, context);
    moments.mean.resize(static_cast<std::size_t>(rows.cols));
    if (centre) {
        for (std::int64_t t = 0; t < rows.rows; ++t)
            for (std::int64_t j = 0; j < rows.cols; ++j)
                moments.mean[static_cast<std::size_t>(j)] += static_cast<double>(rows(t, j));
        for (double& value : moments.mean)
            value /= count;
    }
    for (std::int64_t i = 0; i < rows.cols; ++i)
        for (std::int64_t j = 0; j < rows.cols; ++j)
            moments.c(i, j) = moments.c(i, j) / count - moments.mean[static_cast<std::size_t>(i)] * moments.mean[static_cast<std::size_t>(j)];
    return moments;
}

Moments whiteMoments(std::int64_t width)
{
    Moments moments{Matrix<double>(width, width), std::vector<double>(static_cast<std::size_t>(width))};
    for (std::int64_t i = 0; i < width; ++i)
        moments.c(i, i) = 1;
    return moments;
}

void addRidge(Moments& moments, double ridge)
{
    moments.c = linalg::withRidge(std::move(moments.c), ridge * linalg::meanDiagonal(moments.c));
}

WeightedFactors weightedFactors(MatrixView<const float> w, const Moments& moments, std::int64_t rank, const RunContext& context)
{
    if (moments.c.rows() != w.cols)
        throw Error(ErrorCode::InvalidParameter,
                    "found calibration rows of " + std::to_string(moments.c.rows()) + " features, expected the " + std::to_string(w.cols) + " that the encoder reads");
    const std::int64_t most = std::min(w.rows, w.cols);
    if (rank < 1 || rank > most)
        throw Error(ErrorCode::InvalidParameter, "found rank " + std::to_string(rank) + ", expected 1 to " + std::to_string(most));
    // V, s^2: eigenpairs of S^T W^T W S with C = S S^T. U = W S V / s, so A = U^T W = V^T S^T W^T W / s.
    context.setParts(4);
    const Matrix<double> gram = linalg::gram(w, linalg::Side::Columns, context.part(1, "Gram matrix of the rows"));
    const Matrix<double> root = linalg::eigenRoot(moments.c, context.part(1, "root of the second moment"));
    const Matrix<double> seen = linalg::product(Op::Transpose, Op::None, root.view(), gram.view(), context); // S^T W^T W
    const linalg::SymmetricEigen eigen = linalg::symmetricEigen(linalg::product(seen.view(), root.view(), context), context.part(1, "eigenvectors"));
    WeightedFactors factors;
    factors.squares.assign(static_cast<std::size_t>(most), 0.0);
    for (std::size_t i = 0; i < std::min(factors.squares.size(), eigen.values.size()); ++i)
        factors.squares[i] = std::max(0.0, eigen.values[i]);
    std::int64_t kept = 0;
    while (kept < std::min(rank, root.cols()) && factors.squares[static_cast<std::size_t>(kept)] > linalg::kRankTolerance * factors.squares[0])
        ++kept;
    const linalg::ConstView leading{eigen.vectors.data(), kept, root.cols(), root.cols()};
    factors.a = linalg::product(leading, seen.view(), context);
    factors.b = productOfRows(w, linalg::product(Op::None, Op::Transpose, leading, root.view(), context), 1, context.part(1, "left factor"));
    for (std::int64_t r = 0; r < kept; ++r) {
        const double s = std::sqrt(factors.squares[static_cast<std::size_t>(r)]);
        for (std::int64_t j = 0; j < w.cols; ++j)
            factors.a(r, j) /= s;
        for (std::int64_t i = 0; i < w.rows; ++i)
            factors.b(i, r) /= s;
    }
    return factors;
}

std::vector<float> foldedBias(MatrixView<const float> w, const std::vector<float>& bias, const WeightedFactors& factors, const std::vector<double>& mean,
                              const RunContext& context)
{
    std::vector<double> inner(static_cast<std::size_t>(factors.a.rows()));
    for (std::size_t r = 0; r < inner.size(); ++r)
        for (std::size_t j = 0; j < mean.size(); ++j)
            inner[r] += factors.a(static_cast<std::int64_t>(r), static_cast<std::int64_t>(j)) * mean[j];
    std::vector<float> folded(bias.size());
    constexpr std::size_t kPiece = 1024;
    parallelFor(context, (bias.size() + kPiece - 1) / kPiece, [&](std::size_t piece) {
        for (std::size_t i = piece * kPiece; i < std::min(bias.size(), (piece + 1) * kPiece); ++i) {
            const auto row = static_cast<std::int64_t>(i);
            double sum = static_cast<double>(bias[i]);
            for (std::size_t j = 0; j < mean.size(); ++j)
                sum += static_cast<double>(w(row, static_cast<std::int64_t>(j))) * mean[j];
            for (std::size_t r = 0; r < inner.size(); ++r)
                sum -= factors.b(row, static_cast<std::int64_t>(r)) * inner[r];
            folded[i] = static_cast<float>(sum);
        }
    });
    return folded;
}

} // namespace tamis::encoder
