// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/bench/tokens_bench.h"

#include "core/base/error.h"

#include <QTest>

#include <cmath>

using namespace tamis;

class TestTokensBench : public QObject {
    Q_OBJECT
private slots:
    void aSmallModel()
    {
        const auto results = bench::benchTokens({}, {.width = 64, .depth = 2, .heads = 2, .patch = 8, .image = 64, .batch = 2, .merged = 12, .rounds = 1});
        QCOMPARE(results.size(), std::size_t{3});
        for (const auto& result : results) {
            QVERIFY(result.oursSeconds > 0 && std::isfinite(result.oursSeconds));
            QVERIFY(std::isnan(result.peerSeconds) || result.peerSeconds > 0);
        }
        // PyTorch is there or its absence is told
        QVERIFY(std::isfinite(results[1].peerSeconds) == results[1].peerName.starts_with("PyTorch"));
        QVERIFY(std::isfinite(results[1].peerSeconds) || results[1].peerName.starts_with("none: "));
        QVERIFY(results[1].boundFraction > 0 && results[1].note.find("promised") != std::string::npos);
        QVERIFY(results[2].oursSeconds < results[0].oursSeconds);
    }
    void sidesMustDivide()
    {
        QVERIFY_EXCEPTION_THROWN(bench::benchTokens({}, {.patch = 15}), Error);
        QVERIFY_EXCEPTION_THROWN(bench::benchTokens({}, {.heads = 7}), Error);
        QVERIFY_EXCEPTION_THROWN(bench::benchTokens({}, {.batch = 0}), Error);
    }
    void aStopIsHeard()
    {
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(bench::benchTokens(RunContext(stop.get_token()), {.width = 64, .depth = 2, .heads = 2, .patch = 8, .image = 64}), Error);
    }
};

QTEST_GUILESS_MAIN(TestTokensBench)
#include "tst_tokens_bench.moc"
