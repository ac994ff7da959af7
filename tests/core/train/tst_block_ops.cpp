// SPDX-License-Identifier: GPL-3.0-or-later
// The pieces of native sparse attention on the tape: gradients against differences, values against their definition and against plain attention.
#include "core/base/error.h"
#include "core/train/attention_ops.h"
#include "core/train/block_ops.h"
#include "tests/core/train/gradient_check.h"

#include <QtTest>

#include <cmath>
#include <random>

using namespace tamis;
using namespace tamis::train;
using tensor::Matrix;
using test::checkGradients;
using test::gaussian;

namespace {
constexpr std::int64_t kSequences = 2, kQueries = 7, kKeys = 5, kHeads = 4, kKeyHeads = 2, kDepth = 3;
constexpr AttentionShape kShape{.sequences = kSequences, .heads = kHeads, .keyValueHeads = kKeyHeads, .scale = 0.6};

/// Some keys for each query and group; none at all for one.
std::vector<std::uint8_t> someKeys()
{
    std::mt19937 random(5);
    std::vector<std::uint8_t> seen(static_cast<std::size_t>(kSequences * kKeyHeads * kQueries * kKeys));
    for (std::uint8_t& key : seen)
        key = random() % 2;
    std::fill_n(seen.begin() + 3 * kKeys, kKeys, std::uint8_t{0});
    std::fill_n(seen.begin() + 4 * kKeys, kKeys, std::uint8_t{1});
    return seen;
}
} // namespace

class TstBlockOps : public QObject {
    Q_OBJECT
    static void passes(const std::string& complaint) { QVERIFY2(complaint.empty(), complaint.c_str()); }

private slots:
    /// Element by element, both sides in double: 1e-12 of numbers around 1.
    void maskedAttentionIsAsDefined()
    {
        const auto q = gaussian(kSequences * kQueries, kHeads * kDepth, 1), k = gaussian(kSequences * kKeys, kKeyHeads * kDepth, 2), v = gaussian(kSequences * kKeys, kKeyHeads * kDepth, 3);
        const auto seen = someKeys();
        Tape<double> tape;
        const auto y = maskedAttention(tape.constant(q.view()), tape.constant(k.view()), tape.constant(v.view()), seen.data(), kShape);
        for (std::int64_t s = 0; s < kSequences; ++s)
            for (std::int64_t h = 0; h < kHeads; ++h)
                for (std::int64_t i = 0; i < kQueries; ++i) {
                    double sum = 0, mixed[kDepth] = {};
                    for (std::int64_t j = 0; j < kKeys; ++j) {
                        if (!seen[static_cast<std::size_t>(((s * kKeyHeads + h / 2) * kQueries + i) * kKeys + j)])
                            continue;
                        double score = 0;
                        for (std::int64_t c = 0; c < kDepth; ++c)
                            score += 0.6 * q(s * kQueries + i, h * kDepth + c) * k(s * kKeys + j, h / 2 * kDepth + c);
                        sum += std::exp(score);
                        for (std::int64_t c = 0; c < kDepth; ++c)
                            mixed[c] += std::exp(score) * v(s * kKeys + j, h / 2 * kDepth + c);
                    }
                    for (std::int64_t c = 0; c < kDepth; ++c)
                        QVERIFY(std::abs(y.value()(s * kQueries + i, h * kDepth + c) - (sum > 0 ? mixed[c] / sum : 0)) < 1e-12);
                }
    }
    void allSeenIsPlainAttention()
    {
        const auto q = gaussian(kSequences * kQueries, kHeads * kDepth, 1), k = gaussian(kSequences * kKeys, kKeyHeads * kDepth, 2), v = gaussian(kSequences * kKeys, kKeyHeads * kDepth, 3);
        const std::vector<std::uint8_t> seen(static_cast<std::size_t>(kSequences * kKeyHeads * kQueries * kKeys), 1);
        Tape<double> tape;
        const auto a = tape.constant(q.view()), b = tape.constant(k.view()), c = tape.constant(v.view());
        const auto masked = maskedAttention(a, b, c, seen.data(), kShape), plain = attention(a, b, c, kShape);
        for (std::int64_t i = 0; i < masked.rows(); ++i)
            for (std::int64_t j = 0; j < masked.cols(); ++j)
                QVERIFY(std::abs(masked.value()(i, j) - plain.value()(i, j)) < 1e-12);
    }
    void maskedAttentionHasItsGradient()
    {
        const auto seen = someKeys();
        passes(checkGradients({{kSequences * kQueries, kHeads * kDepth}, {kSequences * kKeys, kKeyHeads * kDepth}, {kSequences * kKeys, kKeyHeads * kDepth}},
                              [&](Tape<double>&, const auto& in) { return maskedAttention(in[0], in[1], in[2], seen.data(), kShape); }));
    }
    void blocksAreCutAndOverlap()
    {
        const auto x = gaussian(2 * 11, 6, 4);
        Tape<double> tape;
        const auto y = unfoldBlocks(tape.constant(x.view()), 2, 2, 4, 2);
        QCOMPARE(blocksWithin(11, 4, 2), std::int64_t{4});
        QCOMPARE(blocksWithin(3, 4, 2), std::int64_t{0});
        QCOMPARE(y.rows(), std::int64_t{2 * 4 * 2});
        QCOMPARE(y.cols(), std::int64_t{12});
        for (std::int64_t s = 0; s < 2; ++s)
            for (std::int64_t block = 0; block < 4; ++block)
                for (std::int64_t head = 0; head < 2; ++head)
                    for (std::int64_t token = 0; token < 4; ++token)
                        for (std::int64_t j = 0; j < 3; ++j)
                            QCOMPARE(y.value()((s * 4 + block) * 2 + head, token * 3 + j), x(s * 11 + block * 2 + token, head * 3 + j));
    }
    void cutsMeansJoinsAndGatesHaveTheirGradients()
    {
        passes(checkGradients({{2 * 11, 6}}, [](Tape<double>&, const auto& in) { return unfoldBlocks(in[0], 2, 2, 4, 2); }));
        passes(checkGradients({{2 * 9, 6}}, [](Tape<double>&, const auto& in) { return unfoldBlocks(in[0], 2, 3, 3, 3); }));
        passes(checkGradients({{5, 12}}, [](Tape<double>&, const auto& in) { return meanOfParts(in[0], 4); }));
        passes(checkGradients({{6, 4}}, [](Tape<double>&, const auto& in) { return joinHeads(in[0], 3); }));
        passes(checkGradients({{5, 12}, {5, 3}}, [](Tape<double>&, const auto& in) { return gateHeads(in[0], in[1]); }));
        // keys that two branches read: gradients add up
        const auto seen = someKeys();
        passes(checkGradients({{kSequences * kQueries, kHeads * kDepth}, {kSequences * kKeys * 2, kKeyHeads * kDepth}}, [&](Tape<double>&, const auto& in) {
            const auto keys = joinHeads(meanOfParts(unfoldBlocks(in[1], kSequences, kKeyHeads, 2, 2), 2), kKeyHeads), values = joinHeads(meanOfParts(unfoldBlocks(in[1], kSequences, kKeyHeads, 2, 2), 2), kKeyHeads);
            return maskedAttention(in[0], keys, values, seen.data(), kShape);
        }));
    }
    void shapesThatDisagreeAreRefused()
    {
        const auto x = gaussian(6, 6, 1), g = gaussian(5, 2, 2);
        Tape<double> tape;
        const auto a = tape.constant(x.view()), b = tape.constant(g.view());
        QVERIFY_EXCEPTION_THROWN(unfoldBlocks(a, 4, 2, 1, 1), Error);
        QVERIFY_EXCEPTION_THROWN(unfoldBlocks(a, 2, 2, 4, 1), Error);
        QVERIFY_EXCEPTION_THROWN(meanOfParts(a, 4), Error);
        QVERIFY_EXCEPTION_THROWN(joinHeads(a, 4), Error);
        QVERIFY_EXCEPTION_THROWN(gateHeads(a, b), Error);
        QVERIFY_EXCEPTION_THROWN(maskedAttention(a, a, a, someKeys().data(), kShape), Error);
    }
};

QTEST_APPLESS_MAIN(TstBlockOps)
#include "tst_block_ops.moc"
