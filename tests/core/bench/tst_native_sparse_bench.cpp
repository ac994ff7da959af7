// SPDX-License-Identifier: GPL-3.0-or-later
// The bench of native sparse decoding on a small shape: what it counts, and what it refuses.
#include "core/base/error.h"
#include "core/bench/native_sparse_bench.h"

#include <QTest>

#include <cmath>
#include <stop_token>

using namespace tamis;

class TstNativeSparseBench : public QObject {
    Q_OBJECT
private slots:
    void countsWhatItReads()
    {
        const auto results = bench::benchNativeSparse({}, {.heads = 4, .keyValueHeads = 2, .headDim = 32, .context = 2048, .layers = 2, .rounds = 1});
        QCOMPARE(results.size(), std::size_t{2});
        for (const bench::BenchResult& result : results)
            QVERIFY(result.oursSeconds > 0 && result.peerSeconds > 0 && result.boundFraction > 0);
        // (2048 - 32) / 16 + 1 compressed, 16 blocks of 64, the window
        QVERIFY2(results[0].note.starts_with("reads 127 + 1024 + 512 of 2048 tokens"), results[0].note.c_str());
        QVERIFY2(results[0].bound.starts_with("0.9 MB"), results[0].bound.c_str()); // 1663 tokens of 2 heads: keys and values of 32 floats
        QVERIFY2(results[1].bound.starts_with("1.0 MB"), results[1].bound.c_str());
    }
    void badShapesAreRefused()
    {
        QVERIFY_EXCEPTION_THROWN(bench::benchNativeSparse({}, {.heads = 5, .keyValueHeads = 2}), Error);
        QVERIFY_EXCEPTION_THROWN(bench::benchNativeSparse({}, {.context = 0}), Error);
        QVERIFY_EXCEPTION_THROWN(bench::benchNativeSparse({}, {.layers = 0}), Error);
    }
    void aStopIsSeen()
    {
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(bench::benchNativeSparse(RunContext(stop.get_token()), {}), Error);
    }
};

QTEST_APPLESS_MAIN(TstNativeSparseBench)
#include "tst_native_sparse_bench.moc"
