// SPDX-License-Identifier: GPL-3.0-or-later
// Counted for one head of d features and N tokens: q k^T and p v are 2 N^2 d multiply-adds, 128 a score at d = 64. The exponential of a score is some 13
// vector operations on the same ports, a maximum and two stores of it 3 more: 16 / 16 lanes against 128 / 16 of the products, so that 0.89 of the
// multiply-adds' peak is what could be reached at best. Bytes: keys and values once for each query tile of 256, 2 N^2 d / 256 floats: at N = 4096 34 MB a
// head against 2.1 G multiply-adds; no memory is slow enough to matter. q k^T in bytes: 64 multiply-adds an instruction, 16 of floats: 4 times,
// less the conversion of a score to a float and two scales, 4 operations for 16 scores against 16 of their products at d = 64.
#include "core/bench/attention_bench.h"

#include "core/attention/tiled.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/bench/torch_child.h"
#include "core/cost/ceilings.h"
#include "core/kernels/quantised_attention.h"
#include "core/linalg/float_product.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <locale>
#include <map>
#include <numeric>
#include <random>
#include <sstream>

namespace tamis::bench {
namespace {
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN(), kForever = std::numeric_limits<double>::infinity();

template <class Function> double secondsOf(Function&& function)
{
    const auto start = std::chrono::steady_clock::now();
    function();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string text(double value, int digits)
{
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out.setf(std::ios::fixed);
    out.precision(digits);
    out << value;
    return out.str();
}

std::string mebibytes(double bytes) { return text(bytes / (1 << 20), 1) + " MiB"; }

BenchResult entry(std::string name, double ours, double peer, std::string peerName)
{
    BenchResult r;
    r.name = std::move(name);
    r.oursSeconds = ours;
    r.peerSeconds = peer;
    r.peerName = std::move(peerName);
    r.ratio = peer / ours;
    r.unit = "s";
    r.boundFraction = kNothing;
    return r;
}

struct Rows {
    tensor::Matrix<float> q, k, v, out;
    Rows(const AttentionBenchInputs& in, std::int64_t tokens) : q(tokens, in.heads * in.headDim), k(q), v(q), out(q)
    {
        std::mt19937_64 random(static_cast<std::uint64_t>(tokens));
        std::normal_distribution<float> normal;
        for (auto* part : {&q, &k, &v})
            for (float& x : part->values())
                x = normal(random);
    }
};

// ---- exact attention ----
struct Exact {
    double seconds = kForever;
    std::size_t bytes = 0; ///< scratch of all threads
};

void timeExact(const AttentionBenchInputs& in, std::int64_t tokens, Exact& best, const RunContext& context)
{
    Rows rows(in, tokens);
    const nn::AttentionSpec spec{.heads = in.heads, .keyValueHeads = in.heads, .headDim = in.headDim, .scale = 1.0F / std::sqrt(static_cast<float>(in.headDim))};
    const auto op = attention::tiledAttention(spec);
    nn::Scratch scratch(true, RunContext(context.stopToken()));
    const nn::AttentionInput input{.q = rows.q.view(), .k = rows.k.view(), .v = rows.v.view()};
    const double least = 0.1; // seconds of repetitions: short ones need many
    for (int round = -1; round < in.rounds; ++round) { // the first takes the memory
        double spent = 0;
        do {
            const double once = secondsOf([&] { op->apply(input, rows.out.view(), scratch); });
            spent += once;
            if (round >= 0)
                best.seconds = std::min(best.seconds, once);
        } while (spent < least / in.rounds);
    }
    best.bytes = scratch.peakFloats() * sizeof(float);
}

struct TorchTime {
    double seconds = kNothing, bytes = kNothing;
};
struct Torch {
    std::map<std::pair<std::string, std::int64_t>, TorchTime> times; ///< by way and tokens
    std::string whyNot;
};

Torch timeTorch(const AttentionBenchInputs& in, const RunContext& context)
{
    Torch torch;
    std::vector<std::string> arguments{std::to_string(in.heads), std::to_string(in.headDim), std::to_string(in.rounds)};
    for (const std::int64_t tokens : in.tokens)
        arguments.push_back(std::to_string(tokens));
    const auto output = runTorch(torchScript("bench_torch_attention.py"), arguments, context, torch.whyNot);
    std::istringstream lines(output.value_or(""));
    for (std::string line; std::getline(lines, line);) {
        const auto entry = nlohmann::json::parse(line, nullptr, false);
        if (entry.is_object() && entry.contains("way") && entry.contains("tokens") && entry.contains("seconds") && entry.contains("bytes"))
            torch.times[{entry["way"].get<std::string>(), entry["tokens"].get<std::int64_t>()}] = {entry["seconds"].get<double>(), entry["bytes"].get<double>()};
    }
    return torch;
}

BenchResult againstTorch(const AttentionBenchInputs& in, std::int64_t tokens, const Exact& exact, const Torch& torch, const std::string& way, const std::string& title, const report::Ceilings& ceilings)
{
    const auto found = torch.times.find({way, tokens});
    const TorchTime peer = found == torch.times.end() ? TorchTime{} : found->second;
    BenchResult r = entry("exact in tiles, N = " + std::to_string(tokens) + ", against " + title, exact.seconds, peer.seconds,
                          std::isfinite(peer.seconds) ? "PyTorch, " + title + ", " + std::to_string(threadCount()) + " threads" : "none: " + (torch.whyNot.empty() ? "it has not this form" : torch.whyNot));
    const double flops = 4.0 * static_cast<double>(tokens * tokens * in.heads * in.headDim);
    r.bound = text(1e-9 * flops, 2) + " GFLOP at " + text(ceilings.gflops, 0) + " GFLOP/s, without exponentials";
    r.boundFraction = flops / (1e9 * ceilings.gflops) / exact.seconds;
    const auto traffic = attention::tiledTraffic(tokens, in.headDim, 0, 0);
    r.note = text(1e-9 * flops / exact.seconds, 0) + " GFLOP/s; scratch " + mebibytes(static_cast<double>(exact.bytes)) + ", the scores of all heads would be " +
             mebibytes(4.0 * static_cast<double>(tokens * tokens * in.heads)) + "; read by the tiles " + mebibytes(static_cast<double>(traffic.readBytes) * static_cast<double>(in.heads));
    if (std::isfinite(peer.bytes))
        r.note += "; PyTorch took " + mebibytes(peer.bytes) + " more memory";
    return r;
}

std::vector<BenchResult> benchTiles(const AttentionBenchInputs& in, const report::Ceilings& ceilings, const RunContext& context)
{
    context.setParts(3);
    std::vector<Exact> exact(in.tokens.size());
    const auto ours = [&](const RunContext& part) {
        for (std::size_t i = 0; i < in.tokens.size(); ++i)
            timeExact(in, in.tokens[i], exact[i], part);
        part.finish();
    };
    ours(context.part(1, "exact attention"));
    const Torch torch = timeTorch(in, context.part(1, "PyTorch"));
    ours(context.part(1, "exact attention again")); // once before and once after the peer: the machine is shared
    std::vector<BenchResult> results;
    for (std::size_t i = 0; i < in.tokens.size(); ++i) {
        results.push_back(againstTorch(in, in.tokens[i], exact[i], torch, "scaled_dot_product_attention", "scaled_dot_product_attention", ceilings));
        results.push_back(againstTorch(in, in.tokens[i], exact[i], torch, "naive", "the naive form", ceilings));
    }
    return results;
}

// ---- q k^T ----
/// All heads, each on one thread; `one` is given the head and a buffer of its own.
template <class Function> void overHeads(const AttentionBenchInputs& in, std::vector<tensor::Matrix<float>>& buffers, const RunContext& context, Function&& one)
{
    parallelFor(context, static_cast<std::size_t>(in.heads), [&](std::size_t head) { one(static_cast<std::int64_t>(head), buffers[head]); });
}

struct Products {
    double bytes = kForever, floats = kForever, blas = kForever;
};

Products timeProducts(const AttentionBenchInputs& in, const RunContext& context)
{
    constexpr std::int64_t kBlasRows = 64; ///< a block of scores of BLAS: 64 x 1024 floats stay in the second-level cache, as ours do
    constexpr std::int64_t kBlasKeys = 1024;
    const Rows rows(in, in.scoreTokens);
    const std::int64_t n = in.scoreTokens, d = in.headDim;
    const kernels::AttentionShape shape{in.heads, in.heads, d, 1.0F / std::sqrt(static_cast<float>(d))};
    const kernels::QuantisedScheme eight{8, 32}, float32{32, 32};
    const std::size_t floats = std::max(kernels::quantisedAttentionFloats(shape, eight, n, n), kernels::quantisedAttentionFloats(shape, float32, n, n));
    std::vector<tensor::Matrix<float>> buffers(static_cast<std::size_t>(in.heads));
    for (auto& buffer : buffers)
        buffer = tensor::Matrix<float>(1, static_cast<std::int64_t>(floats) + 16);
    const auto own = [&](const kernels::QuantisedScheme& scheme) {
        overHeads(in, buffers, context, [&](std::int64_t head, tensor::Matrix<float>& buffer) {
            void* start = buffer.data();
            std::size_t space = buffer.size() * sizeof(float);
            std::align(64, floats * sizeof(float), start, space);
            kernels::scoreBlocks(shape, scheme, rows.q.view(), rows.k.view(), head, {static_cast<float*>(start), floats}, [](const kernels::ScoreBlock&) {});
        });
    };
    const auto blas = [&] {
        overHeads(in, buffers, context, [&](std::int64_t head, tensor::Matrix<float>&) {
            tensor::Matrix<float> block(kBlasRows, kBlasKeys);
            const auto part = [&](const tensor::Matrix<float>& x, std::int64_t first, std::int64_t count) { return kernels::ConstRows{x.data() + first * x.cols() + head * d, count, d, x.cols()}; };
            for (std::int64_t j = 0; j < n; j += kBlasKeys)
                for (std::int64_t i = 0; i < n; i += kBlasRows) {
                    const std::int64_t queries = std::min(kBlasRows, n - i), keys = std::min(kBlasKeys, n - j);
                    linalg::floatProduct(linalg::Turn::None, linalg::Turn::Transpose, shape.scale, part(rows.q, i, queries), part(rows.k, j, keys), 0, {block.data(), queries, keys, kBlasKeys});
                }
        });
    };
    Products best;
    for (int round = -1; round < in.rounds; ++round) {
        context.throwIfStopped();
        const double a = secondsOf([&] { own(eight); }), b = secondsOf([&] { own(float32); }), c = secondsOf(blas);
        context.setFraction(static_cast<double>(round + 2) / (in.rounds + 1));
        if (round >= 0)
            best = {std::min(best.bytes, a), std::min(best.floats, b), std::min(best.blas, c)};
    }
    return best;
}

BenchResult benchScores(const AttentionBenchInputs& in, const report::Ceilings& ceilings, const RunContext& context)
{
    const Products p = timeProducts(in, context);
    BenchResult r = entry("q k^T in 8 bits, N = " + std::to_string(in.scoreTokens) + ", d = " + std::to_string(in.headDim), p.bytes, std::min(p.floats, p.blas),
                          std::string(p.floats <= p.blas ? "our floats" : "BLAS in floats") + ", " + std::to_string(threadCount()) + " threads");
    const double flops = 2.0 * std::pow(static_cast<double>(in.scoreTokens), 2) * static_cast<double>(in.heads * in.headDim);
    r.bound = text(1e-9 * flops, 1) + " GOP at 4 x " + text(ceilings.gflops, 0) + " GFLOP/s (VNNI: 64 multiply-adds an instruction)";
    r.boundFraction = flops / (4e9 * ceilings.gflops) / p.bytes;
    r.note = "codes of queries and keys are made each time; " + text(1e-9 * flops / p.bytes, 0) + " GOP/s; our floats " + text(1e3 * p.floats, 1) + " ms, " + text(1e-9 * flops / p.floats, 0) + " GFLOP/s; BLAS " +
             text(1e3 * p.blas, 1) + " ms; scores in blocks that stay in the cache";
    return r;
}
} // namespace

std::vector<BenchResult> benchAttention(const RunContext& context, const AttentionBenchInputs& in)
{
    if (in.heads < 1 || in.headDim < 1 || in.rounds < 1 || in.scoreTokens < 1 || in.tokens.empty() || *std::ranges::min_element(in.tokens) < 1)
        throw Error(ErrorCode::InvalidParameter, "found a size below 1, expected heads, features, tokens and rounds from 1 on", "bench attention");
    context.setParts(4);
    const report::Ceilings ceilings = cost::machineCeilings(context);
    std::vector<BenchResult> results = benchTiles(in, ceilings, context.part(3, "tiles"));
    results.push_back(benchScores(in, ceilings, context.part(1, "products of bytes")));
    return results; // further kernels of the lab: a function as these two, its results appended here
}

} // namespace tamis::bench
