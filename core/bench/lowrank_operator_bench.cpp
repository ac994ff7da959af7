// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/bench/lowrank_bench_parts.h"
#include "core/inputs/token_file.h"
#include "core/linalg/gemm.h"
#include "core/lowrank/decomposition_cache.h"
#include "core/lowrank/local.h"
#include "core/measure/capture.h"
#include "core/measure/token_source.h"
#include "core/nn/linear_op.h"
#include "core/plan/accounting.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include <unistd.h>

namespace tamis::bench {
namespace {
using tensor::Matrix;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kKeep = 0.6;
constexpr std::size_t kTokens = 8192; // captured for the model's compression

Matrix<float> random(std::int64_t rows, std::int64_t cols, unsigned seed)
{
    std::mt19937 generator(seed);
    std::uniform_real_distribution<float> uniform(-1, 1);
    Matrix<float> values(rows, cols);
    for (float& value : values.values())
        value = uniform(generator);
    return values;
}

struct Pair {
    nn::LinearPtr dense, block;
    std::int64_t rank = 0;
};

Pair pairOf(std::int64_t size)
{
    Pair pair{.rank = plan::rankForKeep(plan::Accounting::BlockIdentity, size, size, kKeep)};
    std::vector<std::int64_t> permutation(static_cast<std::size_t>(size));
    std::iota(permutation.begin(), permutation.end(), std::int64_t{0});
    std::shuffle(permutation.begin(), permutation.end(), std::mt19937(7));
    pair.dense = nn::denseOp(random(size, size, 1).view(), {});
    pair.block = nn::blockIdentityOp(random(size, pair.rank, 2).view(), random(pair.rank, size - pair.rank, 3).view(), permutation, {});
    return pair;
}

/// Best seconds of one application in rounds that alternate, each of as many applications as take some milliseconds.
std::pair<double, double> race(const Pair& pair, std::int64_t tokens, const RunContext& context)
{
    const std::int64_t size = pair.dense->inFeatures();
    const Matrix<float> x = random(tokens, size, 4);
    Matrix<float> y(tokens, size);
    nn::Scratch scratch;
    double best[2] = {1e9, 1e9};
    const auto passes = std::max<std::int64_t>(1, 40'000'000 / (size * size * std::max<std::int64_t>(tokens / 4, 1)));
    for (int round = 0; round < 9; ++round)
        for (int which = 0; which < 2; ++which) {
            context.throwIfStopped();
            const nn::LinearOp& op = which == 0 ? *pair.dense : *pair.block;
            const double seconds = secondsOf([&] {
                for (std::int64_t i = 0; i < passes; ++i)
                    op.apply(x.view(), {}, y.view(), scratch);
            });
            best[which] = std::min(best[which], seconds / static_cast<double>(passes));
        }
    return {best[0], best[1]};
}

/// A directory that goes when the measurement ends.
class TemporaryFolder {
public:
    TemporaryFolder() : m_path(std::filesystem::temp_directory_path() / ("tamis-bench-" + std::to_string(::getpid()))) { std::filesystem::create_directories(m_path); }
    ~TemporaryFolder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(m_path, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    const std::filesystem::path& path() const { return m_path; }

private:
    std::filesystem::path m_path;
};

/// The model with a calibration set captured from its calibration.npy.
lowrank::Inputs inputsOf(const std::filesystem::path& model, const std::filesystem::path& folder, double& captureSeconds, const RunContext& context)
{
    lowrank::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(model, context);
    inputs.model = nn::Model::load(*inputs.checkpoint, context);
    inputs::TokenSequences sequences = inputs::readTokenFile(model / "calibration.npy", inputs.model->spec().text.vocabulary);
    std::vector<std::int32_t> first; // enough for statistics of full rank; what is timed does not depend on their number
    for (const auto& sequence : sequences)
        first.insert(first.end(), sequence.begin(), sequence.end());
    first.resize(std::min(first.size(), kTokens));
    inputs.samples = std::make_shared<measure::TokenSource>(inputs::TokenSequences{std::move(first)}, measure::TokenWindows{.context = 256, .stride = 0}, "bundled calibration tokens");
    measure::CaptureOptions options;
    options.out = folder / "calibration.h5";
    options.modelSha256 = inputs.checkpoint->sha256(context);
    options.stateSeconds = -1;
    captureSeconds = secondsOf([&] { measure::captureCalibration(*inputs.model, *inputs.samples, options, context); });
    inputs.calibration = io::CalibrationSet::open(options.out, context);
    return inputs;
}
} // namespace

double secondsOf(const std::function<void()>& work)
{
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double doublePeakFlops(const RunContext& context)
{
    const auto threads = static_cast<std::size_t>(threadCount());
    Matrix<double> a(512, 1024), b(1024, 512);
    std::ranges::fill(a.values(), 1.0);
    std::ranges::fill(b.values(), 1.0);
    double best = 0;
    for (int round = 0; round < 3; ++round) {
        const double seconds = secondsOf([&] { parallelFor(context, 8 * threads, [&](std::size_t) { (void)linalg::product(a.view(), b.view(), context); }); });
        best = std::max(best, 8.0 * static_cast<double>(threads) * 2.0 * 512 * 512 * 1024 / seconds);
    }
    return best;
}

std::vector<BenchResult> benchBlockIdentity(std::int64_t largest, const RunContext& context)
{
    std::vector<BenchResult> results;
    for (const std::int64_t tokens : {std::int64_t{1}, std::int64_t{32}, std::int64_t{256}}) {
        std::int64_t crossover = 0; // smallest size from which block identity is faster at all larger ones
        const std::size_t first = results.size();
        for (std::int64_t size = 256; size <= largest; size *= 2) {
            const Pair pair = pairOf(size);
            const auto [dense, block] = race(pair, tokens, context);
            crossover = block < dense ? (crossover == 0 ? size : crossover) : 0;
            results.push_back({.name = "block identity, keep 0.6 (rank " + std::to_string(pair.rank) + "), " + std::to_string(size) + "x" + std::to_string(size) + ", " +
                                       std::to_string(tokens) + (tokens == 1 ? " token" : " tokens"),
                               .oursSeconds = block,
                               .peerSeconds = dense,
                               .peerName = "Tamis's dense operator",
                               .ratio = dense / block,
                               .unit = "s",
                               .bound = "0.6 of the dense operator's multiplications: at most 1.67 times as fast",
                               .boundFraction = kKeep * dense / block});
        }
        if (results.size() > first)
            results.back().note = crossover > 0 ? "faster than dense from " + std::to_string(crossover) + "x" + std::to_string(crossover) + " on" : "not faster than dense at the largest size";
    }
    context.finish();
    return results;
}

std::vector<BenchResult> benchModelCompression(const std::filesystem::path& model, const RunContext& context)
{
    const TemporaryFolder folder;
    double captureSeconds = 0;
    const lowrank::Inputs inputs = inputsOf(model, folder.path(), captureSeconds, context);
    plan::BudgetRequest budget;
    budget.keep = kKeep;
    budget.allocation = plan::Allocation::Uniform;
    const lowrank::Method method = lowrank::localMethod();
    lowrank::sharedCache().clear();
    lowrank::Compression compression;
    const double cold = secondsOf([&] { compression = method.compress(inputs, budget, {}, context, {}); });
    budget.keep = 0.5;
    const double warm = secondsOf([&] { (void)method.compress(inputs, budget, {}, context, {}); });
    char note[160];
    std::snprintf(note, sizeof note, "relative loss %.4f at keep 0.6; another keep from the cached decompositions: %.3f s; the capture took %.1f s",
                  compression.report.relativeLoss(), warm, captureSeconds);
    context.finish();
    return {{.name = "whitened SVD of all of " + model.filename().string() + " (" + std::to_string(compression.operators.size()) + " matrices)",
             .oursSeconds = cold,
             .peerSeconds = kNone,
             .ratio = kNone,
             .unit = "s",
             .bound = "target 5 s",
             .boundFraction = kNone,
             .note = note}};
}

} // namespace tamis::bench
