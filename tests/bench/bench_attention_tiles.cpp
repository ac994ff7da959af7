// SPDX-License-Identifier: GPL-3.0-or-later
// What the sides of tiles, and bytes in place of floats, do to attention of heads of 64 on one thread: seconds of the processor for one head, so that
// other work on the machine counts little. bench_attention_tiles [TOKENS]
#include "core/attention/quantised.h"
#include "core/attention/tiled.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>

using namespace tamis;

namespace {
constexpr std::int64_t kHeads = 2, kDim = 64;

double processorSeconds()
{
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <class Function> double bestOf(int rounds, Function&& function)
{
    double best = 1e9;
    for (int round = 0; round < rounds; ++round) {
        const double start = processorSeconds();
        function();
        best = std::min(best, processorSeconds() - start);
    }
    return best;
}
} // namespace

int main(int count, char** words)
{
    const std::int64_t tokens = count > 1 ? std::atoll(words[1]) : 4096;
    if (tokens < 1)
        return 2;
    tensor::Matrix<float> q(tokens, kHeads * kDim), k = q, v = q, out = q;
    std::mt19937_64 random(1);
    std::normal_distribution<float> normal;
    for (auto* part : {&q, &k, &v})
        for (float& x : part->values())
            x = normal(random);
    const nn::AttentionSpec spec{.heads = kHeads, .keyValueHeads = kHeads, .headDim = kDim, .scale = 0.125F};
    const auto milliseconds = [&](const nn::AttentionPtr& op) {
        nn::Scratch scratch(false);
        return 1e3 / kHeads * bestOf(5, [&] { op->apply({.q = q.view(), .k = k.view(), .v = v.view()}, out.view(), scratch); });
    };
    for (const auto& tiles : {kernels::AttentionTiles{14, 256}, {32, 512}, {64, 512}, {128, 512}, {256, 256}, {256, 512}, {256, 1024}, {512, 512}}) {
        const auto traffic = attention::tiledTraffic(tokens, kDim, tiles.queries, tiles.keys);
        std::printf("tiles %4ld x %4ld: %7.2f ms, reads %8.2f MiB, working set %6.1f KiB\n", static_cast<long>(tiles.queries), static_cast<long>(tiles.keys),
                    milliseconds(attention::tiledAttention(spec, tiles)), static_cast<double>(traffic.readBytes) / (1 << 20), static_cast<double>(traffic.workingSetBytes) / 1024);
    }
    for (const int scoreBits : {32, 8})
        for (const int valueBits : {32, 8})
            std::printf("scores of %2d bits, values of %2d: %7.2f ms\n", scoreBits, valueBits, milliseconds(attention::quantisedAttention(spec, {scoreBits, valueBits})));
    const kernels::AttentionShape shape{kHeads, kHeads, kDim, 0.125F};
    for (const int bits : {32, 8}) {
        const kernels::QuantisedScheme scheme{bits, 32};
        nn::Scratch scratch(false);
        nn::Scratch::Frame frame(scratch);
        const auto buffer = frame.take(1, static_cast<std::int64_t>(kernels::quantisedAttentionFloats(shape, scheme, tokens, tokens)));
        const double seconds = bestOf(5, [&] { kernels::scoreBlocks(shape, scheme, q.view(), k.view(), 0, buffer.row(0), [](const kernels::ScoreBlock&) {}); });
        std::printf("q k^T alone, %2d bits: %7.2f ms\n", bits, 1e3 * seconds);
    }
    return 0;
}
