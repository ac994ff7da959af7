// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/base/run_context.h"

#include <QTest>

#include <atomic>
#include <vector>

using namespace tamis;

class TstRunContext : public QObject
{
    Q_OBJECT
private slots:
    void progressIsTheWeightedSumOfParts()
    {
        const RunContext run;
        run.setParts(4);
        const RunContext light = run.part(1, "light"), heavy = run.part(3, "heavy");
        QCOMPARE(run.fraction(), 0.0);
        light.finish();
        QCOMPARE(run.fraction(), 0.25);
        heavy.part(2, "inner").setFraction(0.5);
        QCOMPARE(run.fraction(), 0.25 + 0.75 * 0.5);
        QCOMPARE(QString::fromStdString(run.label()), QString("inner"));
        run.finish();
        QCOMPARE(run.fraction(), 1.0);
    }
    void aFractionNeverRunsBackwardsWhenPartsAreDeclared()
    {
        const RunContext run;
        run.setParts(10);
        double last = 0;
        for (int i = 0; i < 10; ++i) {
            run.part(1, "step").finish();
            QVERIFY(run.fraction() >= last);
            last = run.fraction();
        }
        QCOMPARE(last, 1.0);
    }
    void stopThrowsCancelledFromAParallelLoop()
    {
        std::stop_source source;
        const RunContext run(source.get_token());
        std::atomic<int> calls = 0;
        try {
            parallelFor(run, 10000, [&](std::size_t) {
                if (++calls == 3)
                    source.request_stop();
            });
            QFAIL("the loop ran to its end");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::Cancelled);
        }
        QVERIFY(calls < 10000);
    }
    void aParallelLoopVisitsEachIndexOnce()
    {
        std::vector<std::atomic<int>> visits(1000);
        parallelFor(RunContext(), visits.size(), [&](std::size_t i) { ++visits[i]; });
        for (const auto& visit : visits)
            QCOMPARE(visit.load(), 1);
    }
    void anExceptionOfABodyLeavesTheLoop()
    {
        QVERIFY_EXCEPTION_THROWN(
            parallelFor(RunContext(), 100, [](std::size_t i) { if (i == 42) throw Error(ErrorCode::NonFinite, "x"); }), Error);
    }
};

QTEST_GUILESS_MAIN(TstRunContext)
#include "tst_run_context.moc"
