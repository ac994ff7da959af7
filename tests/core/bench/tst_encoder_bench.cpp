// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/bench/encoder_bench.h"

#include "core/base/error.h"

#include <QTest>

#include <cmath>

using namespace tamis;

/// Speeds are for runs by hand: here that a small bench is complete, that certified sets are the dense ones (it throws otherwise), and that
/// it can be left.
class TestEncoderBench : public QObject {
    Q_OBJECT
private slots:
    void aSmallOneIsComplete()
    {
        const auto results = bench::benchEncoder({}, {.shapes = {{96, 3000, 16, 30}, {200, 2500, 32, 1}}, .tokens = 8, .peers = false});
        QCOMPARE(results.size(), std::size_t{8});
        for (std::size_t i = 0; i < results.size(); ++i) {
            const auto& r = results[i];
            QVERIFY2(r.oursSeconds > 0 && r.boundFraction > 0, r.name.c_str());
            if (i % 4 < 2) {
                QVERIFY(std::isnan(r.peerSeconds) && r.peerName.starts_with("none"));
                continue;
            }
            QVERIFY2(std::abs(r.ratio - r.peerSeconds / r.oursSeconds) <= 1e-12 * r.ratio, r.name.c_str());
            QCOMPARE(r.peerSeconds, results[i / 4 * 4].oursSeconds);
            QVERIFY2(r.note.starts_with("sets and values differ for 0 of 8 tokens"), r.note.c_str());
        }
    }
    /// The peer is asked for the very shape; where it is not installed its name says so.
    void thePeerIsPyTorch()
    {
        const auto results = bench::benchEncoder({}, {.shapes = {{16, 500, 4, 1}}, .tokens = 2});
        for (std::size_t i = 0; i < 2; ++i)
            QVERIFY2(results[i].peerSeconds > 0 ? results[i].peerName.starts_with("PyTorch") : results[i].peerName.starts_with("none: "), results[i].peerName.c_str());
    }
    void aStopEndsIt()
    {
        std::stop_source stop;
        stop.request_stop();
        try {
            (void)bench::benchEncoder(RunContext(stop.get_token()));
            QFAIL("went on after a stop");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
        }
    }
};

QTEST_GUILESS_MAIN(TestEncoderBench)
#include "tst_encoder_bench.moc"
