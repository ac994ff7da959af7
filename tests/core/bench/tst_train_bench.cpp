// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/bench/bench.h"
#include "tests/core/base/stop_clock.h"
#include "tests/core/linalg/blas_main.h"

#include <QtTest>

#include <chrono>
#include <thread>

using namespace tamis;

/// The bench itself is run by hand: here only that it can be left.
class TstTrainBench : public QObject {
    Q_OBJECT

private slots:
    void aStopEndsTheBench_data()
    {
        QTest::addColumn<int>("after");
        QTest::newRow("before it starts") << 0;
        QTest::newRow("early") << 200;
        QTest::newRow("in a step or in the peer") << 3000;
    }
    void aStopEndsTheBench()
    {
        QFETCH(int, after);
        std::stop_source stop;
        test::StopClock clock;
        std::jthread stopper([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(after));
            clock.ask(stop);
        });
        try {
            if (after == 0)
                stopper.join();
            (void)bench::benchTrain(RunContext(stop.get_token()), std::filesystem::path(TAMIS_SOURCE_DIR) / "datasets" / "vit20");
            QVERIFY(after > 0); // a very fast machine may be done
        } catch (const Error& error) {
            const double waited = clock.seconds();
            QCOMPARE(error.code(), ErrorCode::Cancelled);
            QVERIFY2(waited < test::kSoonSeconds, qPrintable(QString::number(waited)));
        }
    }
};

TAMIS_BLAS_TEST_MAIN(TstTrainBench)
#include "tst_train_bench.moc"
