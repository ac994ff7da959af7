// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/blas_threads.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/bench/bench.h"
#include "core/bench/peers.h"
#include "core/linalg/gemm.h"
#include "core/linalg/singular_values.h"
#include "core/spectrum/method.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <random>
#include <thread>

namespace tamis::bench {
namespace {
using tensor::Matrix;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kCount = 12; // matrices of each shape
constexpr int kRounds = 3;

double secondsOf(const std::function<void()>& work)
{
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values)
{
    std::ranges::sort(values);
    return values[values.size() / 2];
}

std::string text(const char* format, double a, double b = 0, double c = 0)
{
    char buffer[256];
    std::snprintf(buffer, sizeof buffer, format, a, b, c);
    return buffer;
}

/// Gaussian with columns of falling scale, as trained weights have.
Matrix<float> weights(std::int64_t m, std::int64_t n, unsigned seed)
{
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal;
    Matrix<float> w(m, n);
    std::vector<float> scale(static_cast<std::size_t>(n));
    for (std::size_t j = 0; j < scale.size(); ++j)
        scale[j] = std::pow(static_cast<float>(j + 1), -0.3F);
    for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < n; ++j)
            w(i, j) = scale[static_cast<std::size_t>(j)] * normal(generator);
    return w;
}

/// Largest relative difference among the values above 1e-4 of the largest.
double disagreement(const std::vector<double>& values, const std::vector<double>& reference)
{
    double worst = 0;
    for (std::size_t i = 0; i < reference.size(); ++i)
        if (reference[i] > 1e-4 * reference[0])
            worst = std::max(worst, std::abs(values[i] - reference[i]) / reference[i]);
    return worst;
}

/// Double-precision rate that the cores reach together on the best-behaved product there is; the bound for ours.
double peakFlops(const RunContext& context)
{
    const auto threads = static_cast<std::size_t>(threadCount());
    Matrix<double> a(512, 1024), b(1024, 512);
    std::ranges::fill(a.values(), 1.0);
    std::ranges::fill(b.values(), 1.0);
    double best = 0;
    for (int round = 0; round < 3; ++round) {
        const double seconds = secondsOf([&] {
            parallelFor(context, 8 * threads, [&](std::size_t) { (void)linalg::product(a.view(), b.view(), context); });
        });
        best = std::max(best, 8.0 * static_cast<double>(threads) * 2.0 * 512 * 512 * 1024 / seconds);
    }
    return best;
}

struct Group {
    std::int64_t m = 0, n = 0;
    std::vector<Matrix<float>> matrices;
    std::vector<double> ours, lapack, eigen; ///< seconds of each round for all; Eigen's scaled from one matrix
    double againstReference = 0, againstLapack = 0, againstEigen = 0;
    std::string shape() const { return std::to_string(m) + "x" + std::to_string(n); }
    /// Gram p^2 q (half of the symmetric product's 2 p^2 q) and reduction to tridiagonal form 4/3 p^3.
    double flops() const
    {
        const auto p = static_cast<double>(std::min(m, n)), q = static_cast<double>(std::max(m, n));
        return static_cast<double>(matrices.size()) * (p * p * q + 4.0 / 3.0 * p * p * p);
    }
};

void runOurs(const std::vector<const Matrix<float>*>& all, std::vector<std::vector<double>>& values, const RunContext& context)
{
    values.resize(all.size());
    std::atomic<std::size_t> next = 0;
    parallelFor(context, all.size(), [&](std::size_t) {
        const std::size_t i = next++;
        values[i] = linalg::singularValues(all[i]->view(), context);
    });
}

void measure(Group& group, int threads, const RunContext& context)
{
    std::vector<const Matrix<float>*> all;
    for (const Matrix<float>& matrix : group.matrices)
        all.push_back(&matrix);
    std::vector<std::vector<double>> ours;
    std::vector<double> lapack;
    for (int round = 0; round < kRounds; ++round) {
        context.throwIfStopped();
        group.ours.push_back(secondsOf([&] { runOurs(all, ours, context); }));
        const BlasThreads own(threads);
        double sum = 0;
        for (std::size_t i = 0; i < all.size(); ++i) {
            context.throwIfStopped();
            Matrix<float> copy = *all[i]; // sgesdd overwrites; the copy is not counted
            sum += secondsOf([&] { lapack = lapackSingularValues(copy); });
            group.againstLapack = std::max(group.againstLapack, disagreement(ours[i], lapack));
        }
        group.lapack.push_back(sum);
        context.throwIfStopped();
        std::vector<double> eigen;
        group.eigen.push_back(static_cast<double>(all.size()) * secondsOf([&] { eigen = eigenSingularValues(all[0]->view()); }));
        group.againstEigen = disagreement(ours[0], eigen);
    }
    context.throwIfStopped();
    group.againstReference = disagreement(ours[0], referenceSingularValues(all[0]->view()));
    if (!(group.againstReference <= 1e-5))
        throw Error(ErrorCode::InvalidParameter, text("singular values differ by %.2g relative from dgesdd, 1e-5 is allowed", group.againstReference),
                    group.shape());
}

BenchResult resultFor(const std::string& name, double ours, double peer, std::string peerName, double flops, double peak, std::string note)
{
    return {.name = name,
            .oursSeconds = ours,
            .peerSeconds = peer,
            .peerName = std::move(peerName),
            .ratio = peer / ours,
            .unit = "s for all matrices, values only",
            .bound = text("%.1f GFLOP (Gram p^2 q, tridiagonal form 4/3 p^3) at %.0f GFLOP/s, the rate of a double product on all cores",
                          flops / 1e9, peak / 1e9),
            .boundFraction = flops / peak / ours,
            .note = std::move(note)};
}

void report(const std::vector<const Group*>& groups, int threads, double peak, std::vector<BenchResult>& results)
{
    double ours = 0, lapack = 0, eigen = 0, flops = 0, reference = 0, againstLapack = 0, againstEigen = 0;
    std::string what;
    for (const Group* group : groups) {
        ours += median(group->ours);
        lapack += median(group->lapack);
        eigen += median(group->eigen);
        flops += group->flops();
        reference = std::max(reference, group->againstReference);
        againstLapack = std::max(againstLapack, group->againstLapack);
        againstEigen = std::max(againstEigen, group->againstEigen);
        what += (what.empty() ? "" : " + ") + std::to_string(group->matrices.size()) + " x " + group->shape();
    }
    const std::string agreement = text("largest relative difference above 1e-4 s_1: %.1e to dgesdd in double", reference);
    results.push_back(resultFor("singular values " + what + " vs Eigen", ours, eigen, "Eigen BDCSVD, float, one thread (it has no other); one matrix of each shape a round, times 12",
                                flops, peak, agreement + text(", %.1e to the peer", againstEigen)));
    results.push_back(resultFor("singular values " + what + " vs LAPACK", ours, lapack,
                                "OpenBLAS sgesdd, float, matrix by matrix, " + std::to_string(threads) + " BLAS threads", flops, peak,
                                agreement + text(", %.1e to the peer", againstLapack)));
}

BenchResult modelResult(const char* method, const spectrum::Inputs& inputs, const RunContext& context)
{
    std::vector<double> seconds;
    std::size_t curves = 0;
    for (int round = 0; round < kRounds; ++round) {
        const report::SpectrumReport found = spectrum::findMethod(method)->run(inputs, {}, context.part(1, method));
        seconds.push_back(found.seconds);
        curves = static_cast<std::size_t>(std::ranges::count_if(found.matrices, [](const auto& m) { return !m.loss.empty(); }));
    }
    return {.name = std::string(method) + " of all matrices of " + inputs.checkpoint->path().filename().string(),
            .oursSeconds = median(seconds),
            .peerSeconds = kNone,
            .ratio = kNone,
            .unit = "s, reading included",
            .bound = "target 0.5 s",
            .boundFraction = kNone,
            .note = std::to_string(curves) + " matrices with curves"};
}
} // namespace

std::vector<BenchResult> benchSpectrum(const RunContext& context, const SpectrumBenchInputs& inputs)
{
    const int threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    std::array<Group, 2> groups{{{.m = 1024, .n = 4096}, {.m = 512, .n = 512}}};
    context.setParts(12);
    const double peak = peakFlops(context);
    for (Group& group : groups) {
        const RunContext part = context.part(5, "singular values of " + group.shape());
        for (std::size_t i = 0; i < kCount; ++i)
            group.matrices.push_back(weights(group.m, group.n, static_cast<unsigned>(i + 1)));
        measure(group, threads, part);
        part.finish();
    }
    std::vector<BenchResult> results;
    report({&groups[0], &groups[1]}, threads, peak, results);
    report({&groups[0]}, threads, peak, results);
    report({&groups[1]}, threads, peak, results);
    if (!inputs.model.empty()) {
        spectrum::Inputs model{.checkpoint = io::Checkpoint::open(inputs.model, context)};
        results.push_back(modelResult("spectrum.plain", model, context));
        if (!inputs.calibration.empty()) {
            model.calibration = io::CalibrationSet::open(inputs.calibration, context);
            results.push_back(modelResult("spectrum.whitened", model, context));
        }
    }
    context.finish();
    return results;
}

} // namespace tamis::bench
