// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/bench/bench.h"
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
        std::chrono::steady_clock::time_point asked;
        std::jthread stopper([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(after));
            asked = std::chrono::steady_clock::now();
            stop.request_stop();
        });
        try {
            if (after == 0)
                stopper.join();
            (void)bench::benchTrain(RunContext(stop.get_token()), std::filesystem::path(TAMIS_SOURCE_DIR) / "datasets" / "vit20");
            QVERIFY(after > 0); // a very fast machine may be done
        } catch (const Error& error) {
            const double waited = std::chrono::duration<double>(std::chrono::steady_clock::now() - asked).count();
            QCOMPARE(error.code(), ErrorCode::Cancelled);
            QVERIFY2(waited < 1.0, qPrintable(QString::number(waited))); // the contract is 100 ms; other work may hold us up
        }
    }
};

TAMIS_BLAS_TEST_MAIN(TstTrainBench)
#include "tst_train_bench.moc"
