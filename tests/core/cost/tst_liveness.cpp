// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cost/liveness.h"

#include "core/base/error.h"
#include "core/cost/layer_chain.h"
#include "core/cost/published_architectures.h"

#include <QTest>

#include <algorithm>
#include <random>

using namespace tamis;
using namespace tamis::cost;

namespace {

/// The definition, step by step and buffer by buffer.
std::vector<std::uint64_t> simulated(const std::vector<LiveBuffer>& buffers, std::size_t steps)
{
    std::vector<std::uint64_t> live(steps);
    for (std::size_t step = 0; step < steps; ++step)
        for (const auto& buffer : buffers)
            if (buffer.first <= step && step <= buffer.last)
                live[step] += buffer.bytes;
    return live;
}

std::vector<LiveBuffer> randomBuffers(std::mt19937& random, std::size_t count, std::size_t steps)
{
    std::vector<LiveBuffer> buffers;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t a = random() % steps, b = std::min(steps - 1, a + random() % 6);
        buffers.push_back({"b" + std::to_string(i), random() % 1000, a, b});
    }
    return buffers;
}

std::uint64_t peakOf(const nn::ModelSpec& spec, bool fused, std::int64_t tokens = 0)
{
    CostOptions options;
    options.fused = fused;
    options.tokens = tokens;
    return modelCost(spec, options).peakActivationBytes;
}

} // namespace

class TstLiveness : public QObject
{
    Q_OBJECT
private slots:
    void agreesWithAStepByStepSimulation()
    {
        std::mt19937 random(7);
        for (int round = 0; round < 200; ++round) {
            const std::size_t steps = 1 + random() % 40;
            const auto buffers = randomBuffers(random, random() % 60, steps);
            QCOMPARE(liveBytes(buffers, steps), simulated(buffers, steps));
        }
    }
    void placedBuffersNeverOverlapWhileAlive()
    {
        std::mt19937 random(11);
        for (int round = 0; round < 200; ++round) {
            const std::size_t steps = 1 + random() % 30;
            const auto buffers = randomBuffers(random, random() % 50, steps);
            const auto placement = placeBuffers(buffers, steps, 16);
            std::uint64_t end = 0;
            for (std::size_t i = 0; i < buffers.size(); ++i) {
                QCOMPARE(placement.offsets[i] % 16, std::uint64_t{0});
                end = std::max(end, placement.offsets[i] + buffers[i].bytes);
                for (std::size_t j = 0; j < i; ++j) {
                    const bool together = buffers[i].first <= buffers[j].last && buffers[j].first <= buffers[i].last;
                    const bool apart = placement.offsets[i] + buffers[i].bytes <= placement.offsets[j] ||
                                       placement.offsets[j] + buffers[j].bytes <= placement.offsets[i];
                    QVERIFY(!together || apart);
                }
            }
            QVERIFY(end <= placement.size && placement.size < end + 16);
            QVERIFY(placement.size >= placement.lowerBound);
            // a buffer lands in the first gap: never above all that was placed before it, so never above the plain sum
            std::uint64_t sum = 0;
            for (const auto& buffer : buffers)
                sum += (buffer.bytes + 15) / 16 * 16;
            QVERIFY(placement.size <= sum);
        }
    }
    void equalSizesAreColouredOptimally()
    {
        // buffers of one size in order of birth: interval graphs are coloured with as many colours as overlap at most
        std::mt19937 random(3);
        for (int round = 0; round < 50; ++round) {
            auto buffers = randomBuffers(random, 40, 30);
            for (auto& buffer : buffers)
                buffer.bytes = 64;
            std::sort(buffers.begin(), buffers.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
            const auto placement = placeBuffers(buffers, 30, 64);
            QCOMPARE(placement.size, placement.lowerBound);
        }
    }
    void transformerPeaksByHand()
    {
        // ViT-B/16 at 224, N = 197, d = 768, float32. Fused: the MLP's down product needs the residual (N d) and the hidden
        // activations (4 N d); the up product also the normed copy: 6 N d in all. Attention: residual, q, k, v, mixed = 5 N d;
        // the qkv product: residual, normed, q, k, v = 5 N d.
        const std::uint64_t nd = 197 * 768 * 4;
        QCOMPARE(peakOf(vitBase16(), true), 6 * nd);
        CostOptions options;
        const auto report = modelCost(vitBase16(), options);
        QCOMPARE(report.peakAt, std::string("blocks.0.up"));
        for (const auto& point : report.memory) {
            if (point.at == "blocks.5.attention" || point.at == "blocks.5.qkv")
                QCOMPARE(point.liveBytes, 5 * nd);
            if (point.at == "blocks.5.down")
                QCOMPARE(point.liveBytes, 5 * nd);
            if (point.at == "blocks.5.output")
                QCOMPARE(point.liveBytes, 2 * nd);
        }
        // Not fused: the 12 score matrices N x N beside residual, q, k, v and mixed are more than the MLP's 6 N d.
        QCOMPARE(peakOf(vitBase16(), false), 5 * nd + 12 * 197 * 197 * 4);
    }
    void gatedMlpByHand()
    {
        // LLaMA-2-7B, 1,024 tokens: residual, normed copy, up and gate (hidden 11,008) together at the up product;
        // the logits (32,000 a token) beside the residual are more.
        const std::uint64_t n = 1024;
        const auto report = [&] { CostOptions o; o.tokens = 1024; return modelCost(llama2With7B(), o); }();
        QCOMPARE(report.peakActivationBytes, n * (4096 + 32000) * 4);
        QCOMPARE(report.peakAt, std::string("head"));
        for (const auto& point : report.memory)
            if (point.at == "blocks.3.up")
                QCOMPARE(point.liveBytes, n * (2 * 4096 + 2 * 11008) * 4);
    }
    void tiledAttentionGrowsLinearlyWithTheTokens()
    {
        const auto spec = llama2With7B();
        QCOMPARE(peakOf(spec, true, 4096), 4 * peakOf(spec, true, 1024));
        QVERIFY(peakOf(spec, false, 4096) > 8 * peakOf(spec, false, 1024)); // pairs quadruple twice over
    }
    void memoryOfAChainIsThatOfItsBuffers()
    {
        const auto chain = layerChain(swinTiny(), {});
        const auto report = modelCost(swinTiny(), {});
        const auto live = simulated(chain.buffers, chain.layers.size());
        QCOMPARE(report.memory.size(), live.size());
        for (std::size_t i = 0; i < live.size(); ++i)
            QCOMPARE(report.memory[i].liveBytes, live[i]);
        QCOMPARE(report.peakActivationBytes, *std::max_element(live.begin(), live.end()));
        const auto placement = placeBuffers(chain.buffers, chain.layers.size());
        QVERIFY(placement.size < placement.lowerBound * 3 / 2);
    }
    void refusesLivesOutOfOrder()
    {
        const std::vector<LiveBuffer> backwards{{"a", 1, 3, 2}}, beyond{{"b", 1, 0, 5}};
        QVERIFY_THROWS_EXCEPTION(Error, liveBytes(backwards, 10));
        QVERIFY_THROWS_EXCEPTION(Error, liveBytes(beyond, 5));
        const std::vector<LiveBuffer> huge{{"a", ~std::uint64_t{0}, 0, 0}, {"b", 1, 0, 0}};
        QVERIFY_THROWS_EXCEPTION(Error, liveBytes(huge, 1));
        QVERIFY_THROWS_EXCEPTION(Error, placeBuffers(beyond, 10, 0));
        QVERIFY(liveBytes({}, 0).empty());
    }
};

QTEST_APPLESS_MAIN(TstLiveness)
#include "tst_liveness.moc"
