// SPDX-License-Identifier: GPL-3.0-or-later
// Counted first. A float32 scan at batch 1 reads 4 M D bytes for 2 M D FLOP: half a FLOP a byte, so that memory is the limit on every machine that
// multiplies more than once per 2 bytes read. At batch 64 it is 32 FLOP a byte, and arithmetic is. 8-bit rows are a quarter of the bytes, 4-bit rows an
// eighth; what they leave to score exactly is 4 D bytes a candidate.
#include "core/bench/encoder_bench.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/bench/lowrank_bench_parts.h"
#include "core/bench/synthetic_dictionary.h"
#include "core/bench/torch_child.h"
#include "core/cost/ceilings.h"
#include "core/encoder/certified.h"
#include "core/encoder/exact.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <sstream>

namespace tamis::bench {
namespace {
using encoder::EncoderPtr;
using tensor::MatrixView;
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr int kRounds = 5;
constexpr std::int64_t kBatch = 64;

std::string sentence(const char* format, double a, double b = 0, double c = 0, double d = 0)
{
    std::array<char, 320> text;
    std::snprintf(text.data(), text.size(), format, a, b, c, d);
    return text.data();
}

std::string shapeName(const EncoderBenchShape& shape)
{
    return std::to_string(shape.width) + " x " + std::to_string(shape.latents) + ", k " + std::to_string(shape.k);
}

MatrixView<const float> tokenOf(const tensor::Matrix<float>& x, std::int64_t token)
{
    return {x.view().row(token).data(), 1, x.cols(), x.cols()};
}

/// Seconds by batch size, of the fastest of PyTorch's rounds.
struct Peer {
    double one = kNothing, many = kNothing;
    std::string name;
};

Peer timeTorch(const EncoderBenchShape& shape, const RunContext& context)
{
    std::string whyNot;
    const auto output = runTorch(torchScript("bench_torch_encoder.py"),
                                 {std::to_string(shape.width), std::to_string(shape.latents), std::to_string(shape.k), std::to_string(kBatch), std::to_string(kRounds)}, context, whyNot);
    if (!output)
        return {.name = "none: " + whyNot};
    Peer peer{.name = "PyTorch, topk(relu(F.linear)), " + std::to_string(threadCount()) + " threads"};
    std::istringstream lines(*output);
    for (std::string line; std::getline(lines, line);) {
        const auto entry = nlohmann::json::parse(line, nullptr, false);
        if (entry.is_object() && entry.contains("seconds") && entry["seconds"].is_number())
            (entry.value("batch", 0) == 1 ? peer.one : peer.many) = entry["seconds"].get<double>();
    }
    return peer;
}

/// The mean over tokens of each token's best of some rounds, all encoders in turn: what disturbs one disturbs all.
std::vector<double> race(const std::vector<EncoderPtr>& encoders, const tensor::Matrix<float>& x, const RunContext& context)
{
    std::vector<double> mean(encoders.size());
    for (std::int64_t t = 0; t < x.rows(); ++t) {
        std::vector<double> best(encoders.size(), std::numeric_limits<double>::infinity());
        for (int round = 0; round < kRounds; ++round)
            for (std::size_t e = 0; e < encoders.size(); ++e)
                best[e] = std::min(best[e], secondsOf([&] { (void)encoders[e]->encode(tokenOf(x, t), context); }));
        for (std::size_t e = 0; e < encoders.size(); ++e)
            mean[e] += best[e] / static_cast<double>(x.rows());
    }
    return mean;
}

/// Tokens whose set or values are not the dense encoder's.
std::int64_t mismatches(const encoder::SparseCodes& found, const encoder::SparseCodes& exact)
{
    std::int64_t count = 0;
    for (std::int64_t t = 0; t < exact.tokens(); ++t)
        count += !std::ranges::equal(found.latentsOf(t), exact.latentsOf(t)) || !std::ranges::equal(found.valuesOf(t), exact.valuesOf(t));
    return count;
}

std::string candidatesOf(const encoder::EncodeTrace& trace)
{
    std::int32_t most = 0;
    int dense = 0;
    float margin = std::numeric_limits<float>::infinity();
    for (const encoder::TokenCertificate& each : trace.certificates) {
        most = std::max(most, each.candidates);
        margin = std::min(margin, each.margin);
        dense += each.dense;
    }
    return sentence("candidates %.0f mean, %.0f at most, %.0f tokens dense, least margin %.2g", trace.rowsScored, most, dense, static_cast<double>(margin));
}

report::Ceilings better(const report::Ceilings& a, const report::Ceilings& b)
{
    report::Ceilings best = a;
    best.gflops = std::max(a.gflops, b.gflops);
    best.gigabytesPerSecond = std::max(a.gigabytesPerSecond, b.gigabytesPerSecond);
    return best;
}

BenchResult denseResult(const EncoderBenchShape& shape, std::int64_t batch, double ours, double peer, const std::string& peerName, const encoder::EncoderCost& cost, const report::Ceilings& ceilings)
{
    const double flops = 2 * cost.macs * static_cast<double>(batch);
    const double memory = cost.bytesRead / (ceilings.gigabytesPerSecond * 1e9), arithmetic = flops / (ceilings.gflops * 1e9);
    BenchResult r{.name = "dense f32 " + shapeName(shape) + ", batch " + std::to_string(batch), .oursSeconds = ours, .peerSeconds = peer, .peerName = peerName, .ratio = peer / ours, .unit = "s"};
    r.bound = sentence("%.1f MB at the measured %.1f GB/s, %.2f GFLOP at the measured %.0f GFLOP/s: ", cost.bytesRead / 1e6, ceilings.gigabytesPerSecond, flops / 1e9, ceilings.gflops) +
              (memory > arithmetic ? sentence("memory; ours %.1f GB/s", cost.bytesRead / ours / 1e9) : sentence("arithmetic; ours %.0f GFLOP/s", flops / ours / 1e9));
    r.boundFraction = std::max(memory, arithmetic) / ours;
    return r;
}

std::vector<BenchResult> benchShape(const EncoderBenchShape& shape, const EncoderBenchInputs& inputs, const RunContext& context)
{
    const auto dictionary = syntheticDictionary(shape.width, shape.latents, shape.k, context);
    const tensor::Matrix<float> x = syntheticTokens(*dictionary, inputs.tokens, shape.outlier, 11), batch = syntheticTokens(*dictionary, kBatch, shape.outlier, 12);
    std::vector<EncoderPtr> encoders{encoder::exactEncoder(dictionary, kernels::ScanPrecision::Float32, context)};
    std::array<double, 2> buildSeconds{};
    for (int i = 0; i < 2; ++i)
        buildSeconds[static_cast<std::size_t>(i)] = secondsOf([&] { encoders.push_back(encoder::certifiedEncoder(dictionary, {.quantisation = {.bits = i == 0 ? 8 : 4}}, context)); });

    const report::Ceilings before = cost::measureCeilings(context);
    std::vector<double> seconds = race(encoders, x, context);
    double many = std::numeric_limits<double>::infinity();
    for (int round = 0; round < kRounds; ++round)
        many = std::min(many, secondsOf([&] { (void)encoders.front()->encode(batch.view(), context); }));
    const report::Ceilings ceilings = better(before, cost::measureCeilings(context));
    const Peer peer = inputs.peers ? timeTorch(shape, context) : Peer{.name = "none: not asked for"};

    std::vector<BenchResult> results{denseResult(shape, 1, seconds[0], peer.one, peer.name, encoders[0]->cost(), ceilings),
                                     denseResult(shape, kBatch, many, peer.many, peer.name, encoders[0]->cost(), ceilings)};
    const encoder::SparseCodes exact = encoders[0]->encode(x.view(), context);
    for (std::size_t e = 1; e < encoders.size(); ++e) {
        encoder::EncodeTrace trace;
        const std::int64_t differing = mismatches(encoders[e]->encode(x.view(), context, &trace), exact);
        if (e == 1 && differing > 0)
            throw Error(ErrorCode::InvalidParameter, std::to_string(differing) + " of " + std::to_string(inputs.tokens) + " tokens have other codes than the dense scan, expected none", shapeName(shape));
        const double bytes = encoders[e]->cost().bytesRead + trace.rowsScored * 4 * static_cast<double>(shape.width);
        results.push_back({.name = std::string(e == 1 ? "certified int8 " : "certified int4, delta 0.001, ") + shapeName(shape) + ", batch 1",
                           .oursSeconds = seconds[e],
                           .peerSeconds = seconds[0],
                           .peerName = "own dense f32 scan",
                           .ratio = seconds[0] / seconds[e],
                           .unit = "s",
                           .bound = sentence("%.1f MB with the candidates' rows at the measured %.1f GB/s (more than all where the rows stay in a cache)", bytes / 1e6, ceilings.gigabytesPerSecond),
                           .boundFraction = bytes / (ceilings.gigabytesPerSecond * 1e9) / seconds[e],
                           .note = sentence("sets and values differ for %.0f of %.0f tokens; ", static_cast<double>(differing), static_cast<double>(inputs.tokens)) + candidatesOf(trace) +
                                   sentence("; three features %.0f times the others; built in %.1f s", static_cast<double>(shape.outlier), buildSeconds[e - 1])});
    }
    return results;
}
} // namespace

std::vector<BenchResult> benchEncoder(const RunContext& context, const EncoderBenchInputs& inputs)
{
    context.setParts(static_cast<double>(inputs.shapes.size()));
    std::vector<BenchResult> results;
    for (const EncoderBenchShape& shape : inputs.shapes) {
        const RunContext part = context.part(1, shapeName(shape));
        for (BenchResult& each : benchShape(shape, inputs, part))
            results.push_back(std::move(each));
        part.finish();
    }
    return results;
}

} // namespace tamis::bench
