// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/bench/attention_bench.h"

#include "core/base/error.h"

#include <QTest>

#include <cmath>

using namespace tamis;

class TestAttentionBench : public QObject {
    Q_OBJECT
private slots:
    void aSmallBlock()
    {
        const auto results = bench::benchAttention({}, {.heads = 2, .headDim = 24, .tokens = {33, 300}, .scoreTokens = 300, .rounds = 1});
        QCOMPARE(results.size(), std::size_t{5});
        for (std::size_t i = 0; i < results.size(); ++i) {
            const auto& result = results[i];
            QVERIFY(result.oursSeconds > 0 && std::isfinite(result.oursSeconds));
            QVERIFY(result.boundFraction > 0 && !result.bound.empty() && !result.note.empty());
            if (i < 4) { // PyTorch is there or its absence is told
                QVERIFY(std::isfinite(result.peerSeconds) == result.peerName.starts_with("PyTorch"));
                QVERIFY(std::isfinite(result.peerSeconds) || result.peerName.starts_with("none: "));
            }
        }
        QVERIFY(results[4].peerSeconds > 0 && std::abs(results[4].ratio - results[4].peerSeconds / results[4].oursSeconds) < 1e-12);
    }
    void sizesBelowOneAreRefused()
    {
        QVERIFY_EXCEPTION_THROWN(bench::benchAttention({}, {.heads = 0}), Error);
        QVERIFY_EXCEPTION_THROWN(bench::benchAttention({}, {.tokens = {}}), Error);
        QVERIFY_EXCEPTION_THROWN(bench::benchAttention({}, {.tokens = {64, 0}}), Error);
    }
    void aStopIsHeard()
    {
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(bench::benchAttention(RunContext(stop.get_token())), Error);
    }
};

QTEST_GUILESS_MAIN(TestAttentionBench)
#include "tst_attention_bench.moc"
