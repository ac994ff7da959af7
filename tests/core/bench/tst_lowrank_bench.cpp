// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/bench/lowrank_bench.h"

#include "core/base/error.h"
#include "tests/core/linalg/blas_main.h"

#include <QtTest>

#include <algorithm>
#include <cmath>

using namespace tamis;

/// Speeds are for runs by hand: here that a small bench is complete, that both sides solve one problem, and that it can be left.
class TstLowRankBench : public QObject {
    Q_OBJECT

private slots:
    void aSmallOneIsComplete()
    {
        const auto results = bench::benchLowRank({}, {256, std::filesystem::path(TAMIS_SOURCE_DIR) / "datasets" / "tinylm"});
        QCOMPARE(results.size(), std::size_t{2 + 3 + 1});
        QVERIFY(results[0].note.find("within") != std::string::npos); // it throws when the losses differ by 1e-6
        for (const auto& result : results) {
            QVERIFY2(result.oursSeconds > 0, result.name.c_str());
            if (std::isfinite(result.peerSeconds))
                QVERIFY2(std::abs(result.ratio - result.peerSeconds / result.oursSeconds) <= 1e-12 * result.ratio, result.name.c_str());
        }
        QVERIFY(results.back().name.find("42 matrices") != std::string::npos);
        const auto noted = std::ranges::count_if(results, [](const auto& result) { return result.note.find("faster than dense") != std::string::npos; });
        QCOMPARE(noted, 3); // a crossover, or that there is none, for each number of tokens
    }
    void withoutAModelItIsLeftOut() { QCOMPARE(bench::benchLowRank({}, {128, {}}).size(), std::size_t{2}); }
    void aStopEndsIt()
    {
        std::stop_source stop;
        stop.request_stop();
        try {
            (void)bench::benchLowRank(RunContext(stop.get_token()), {4096, {}});
            QFAIL("went on after a stop");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
        }
    }
};

TAMIS_BLAS_TEST_MAIN(TstLowRankBench)
#include "tst_lowrank_bench.moc"
