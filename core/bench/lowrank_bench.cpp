// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/bench/lowrank_bench.h"

#include "core/base/blas_threads.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/bench/lowrank_bench_parts.h"
#include "core/bench/peers.h"
#include "core/linalg/gemm.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/linalg/whitening.h"
#include "core/lowrank/decomposition.h"
#include "core/plan/accounting.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <thread>

namespace tamis::bench {
namespace {
using linalg::Op;
using tensor::Matrix;

/// W, statistics C and a root L of them, and the whitened matrix W L in float: what both sides decompose.
struct Problem {
    Matrix<double> w;
    io::CalibrationSite site;
    Matrix<float> whitened;
};

Matrix<double> gaussian(std::int64_t rows, std::int64_t cols, unsigned seed, const RunContext& context)
{
    std::mt19937 generator(seed);
    std::normal_distribution<double> normal;
    Matrix<double> values(rows, cols);
    for (std::int64_t i = 0; i < rows; ++i) {
        context.throwIfStopped();
        for (double& value : values.view().row(i))
            value = normal(generator);
    }
    return values;
}

/// Inputs whose features have falling scales and are mixed with their neighbours, as activations are.
Problem problemOf(std::int64_t n, const RunContext& context)
{
    Problem problem;
    problem.w = gaussian(n, n, 1, context);
    Matrix<double> x = gaussian(2 * n, n, 2, context);
    std::vector<double> scales;
    for (std::int64_t j = 0; j < n; ++j)
        scales.push_back(std::pow(static_cast<double>(j + 1), -0.4));
    for (std::int64_t t = 0; t < x.rows(); ++t)
        for (std::int64_t j = n; j-- > 0;)
            x(t, j) = (x(t, j) + (j > 0 ? 0.7 * x(t, j - 1) : 0.0)) * scales[static_cast<std::size_t>(j)];
    problem.site.name = "random";
    problem.site.count = static_cast<std::uint64_t>(x.rows());
    problem.site.gram = linalg::gram(x.view(), linalg::Side::Columns, context);
    const Matrix<double> root = linalg::choleskyRoot(problem.site.gram, context).value();
    const Matrix<double> whitened = linalg::product(problem.w.view(), root.view(), context);
    problem.whitened = Matrix<float>(n, n);
    for (std::size_t i = 0; i < whitened.size(); ++i)
        problem.whitened.values()[i] = static_cast<float>(whitened.values()[i]);
    return problem;
}

/// |M - B A|^2 for the rank-r slices B of `left` [m, >= r] and A of `right` [>= r, n].
double residual(const Matrix<float>& whitened, linalg::ConstView left, linalg::ConstView right, const RunContext& context)
{
    Matrix<double> d = linalg::toDouble(whitened.view());
    linalg::gemm(Op::None, Op::None, -1.0, left, right, 1.0, d.view(), context);
    return linalg::squaredNorm(d.view());
}

double peerLoss(const Matrix<float>& whitened, const SingularVectors& peer, std::int64_t rank, const RunContext& context)
{
    Matrix<double> b(whitened.rows(), rank), a(rank, whitened.cols());
    for (std::int64_t i = 0; i < b.rows(); ++i)
        for (std::int64_t k = 0; k < rank; ++k)
            b(i, k) = static_cast<double>(peer.left(i, k)) * static_cast<double>(peer.values[static_cast<std::size_t>(k)]);
    for (std::int64_t k = 0; k < rank; ++k)
        for (std::int64_t j = 0; j < a.cols(); ++j)
            a(k, j) = peer.right(k, j);
    return residual(whitened, b.view(), a.view(), context);
}

/// What decompose() does once W P is there: eigenvectors of M M^T, and A = U^T M, for all ranks.
struct OurVectors {
    linalg::SymmetricEigen eigen;
    Matrix<double> right; ///< [p, n]
};

OurVectors ourVectors(const Matrix<float>& whitened, const RunContext& context)
{
    OurVectors ours{linalg::symmetricEigen(linalg::gramUpper(whitened.view(), linalg::Side::Rows, context), context), {}};
    ours.right = linalg::product(ours.eigen.vectors.view(), linalg::toDouble(whitened.view()).view(), context);
    return ours;
}

double ourLoss(const Matrix<float>& whitened, const OurVectors& ours, std::int64_t rank, const RunContext& context)
{
    Matrix<double> b(whitened.rows(), rank);
    for (std::int64_t i = 0; i < b.rows(); ++i)
        for (std::int64_t k = 0; k < rank; ++k)
            b(i, k) = ours.eigen.vectors(k, i);
    return residual(whitened, b.view(), {ours.right.data(), rank, ours.right.cols(), ours.right.cols()}, context);
}

/// Multiply-adds twice: Gram n^3, tridiagonal form 4/3 n^3, its eigenvectors at most 4/3 n^3, transformed back 2 n^3, A = U^T M 2 n^3.
double decompositionFlops(std::int64_t size)
{
    return (1 + 4.0 / 3 + 4.0 / 3 + 2 + 2) * std::pow(static_cast<double>(size), 3);
}

std::string sentence(const char* format, double a, double b = 0, double c = 0)
{
    char buffer[320];
    std::snprintf(buffer, sizeof buffer, format, a, b, c);
    return buffer;
}
} // namespace

std::vector<BenchResult> benchDecomposition(std::int64_t size, const RunContext& context)
{
    const int threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    const std::string shape = std::to_string(size) + "x" + std::to_string(size);
    const Problem problem = problemOf(size, context);
    const double peak = doublePeakFlops(context);
    context.throwIfStopped();

    OurVectors ours;
    lowrank::Decomposition whole;
    const double oursSeconds = secondsOf([&] { ours = ourVectors(problem.whitened, context); });
    const double wholeSeconds = secondsOf([&] { whole = lowrank::decompose(problem.w, problem.site, {}, context); });
    context.throwIfStopped();
    Matrix<float> copy = problem.whitened;
    SingularVectors peer;
    double peerSeconds = 0;
    {
        const BlasThreads own(threads);
        peerSeconds = secondsOf([&] { peer = lapackSingularVectors(copy); });
    }
    double worst = 0;
    for (const double keep : {0.8, 0.6, 0.4}) {
        const std::int64_t rank = plan::rankForKeep(plan::Accounting::Factors, size, size, keep);
        const double mine = ourLoss(problem.whitened, ours, rank, context), theirs = peerLoss(problem.whitened, peer, rank, context);
        worst = std::max({worst, mine / theirs - 1, std::abs(whole.loss[static_cast<std::size_t>(rank)] / mine - 1)});
    }
    if (!(worst <= 1e-6))
        throw Error(ErrorCode::InvalidParameter, sentence("loss differs by %.2g relative from sgesdd's factors, 1e-6 is allowed", worst), shape);
    const double flops = decompositionFlops(size), bytes = 8.0 / 3 * std::pow(static_cast<double>(size), 3);
    std::vector<BenchResult> results;
    results.push_back({.name = "whitened decomposition with factors " + shape,
                       .oursSeconds = oursSeconds,
                       .peerSeconds = peerSeconds,
                       .peerName = "OpenBLAS sgesdd with vectors, float, " + std::to_string(threads) + " BLAS threads, one call",
                       .ratio = peerSeconds / oursSeconds,
                       .unit = "s",
                       .bound = sentence("%.0f GFLOP at %.0f GFLOP/s, the rate of a double product on all cores; the tridiagonal form also reads %.0f GB", flops / 1e9,
                                         peak / 1e9, bytes / 1e9),
                       .boundFraction = flops / peak / oursSeconds,
                       .note = sentence("losses at keep 0.8, 0.6, 0.4 within %.1e of the peer's", worst)});
    results.push_back({.name = "the same from W and C, losses at every rank",
                       .oursSeconds = wholeSeconds,
                       .peerSeconds = std::numeric_limits<double>::quiet_NaN(),
                       .ratio = std::numeric_limits<double>::quiet_NaN(),
                       .unit = "s",
                       .boundFraction = std::numeric_limits<double>::quiet_NaN(),
                       .note = "lowrank::decompose(), output PCA"});
    return results;
}

std::vector<BenchResult> benchLowRank(const RunContext& context, const LowRankBenchInputs& inputs)
{
    context.setParts(10);
    std::vector<BenchResult> results = benchDecomposition(inputs.size, context.part(6, "decomposition"));
    const auto append = [&](std::vector<BenchResult> more) { results.insert(results.end(), more.begin(), more.end()); };
    append(benchBlockIdentity(std::min<std::int64_t>(inputs.size, 4096), context.part(3, "block identity")));
    if (!inputs.model.empty())
        append(benchModelCompression(inputs.model, context.part(1, "model")));
    context.finish();
    return results;
}

} // namespace tamis::bench
