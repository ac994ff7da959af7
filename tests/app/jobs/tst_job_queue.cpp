// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/jobs/job_model.h"
#include "app/jobs/job_queue.h"
#include "core/base/error.h"

#include <QAbstractItemModelTester>
#include <QTest>

#include <atomic>
#include <chrono>

using namespace tamis;
using namespace tamis::app;

namespace {
QString waitUntilStopped(const RunContext& context)
{
    for (;;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        context.throwIfStopped();
    }
}
} // namespace

class TstJobQueue : public QObject
{
    Q_OBJECT
private slots:
    void jobsRunInOrderAndReport()
    {
        JobQueue queue;
        JobModel model(queue);
        QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        QStringList order;
        const auto done = [&](const Job& job) { order << job.title + ':' + job.message; };
        queue.add("first", [](const RunContext& run) { run.warn("note this"); return QString("one"); }, done);
        queue.add("second", [](const RunContext&) -> QString { throw Error(ErrorCode::IoFailure, "is gone", "b.bin"); }, done);
        queue.add("third", [](const RunContext&) { return QString("three"); }, done);
        QTRY_VERIFY(!queue.isRunning());
        QCOMPARE(order, (QStringList{"first:one", "second:b.bin: is gone", "third:three"}));
        QCOMPARE(queue.jobs()[0].log, QStringList{"note this"});
        QCOMPARE(queue.jobs()[1].state, JobState::Failed);
        QCOMPARE(model.rowCount(), 3);
        QCOMPARE(model.index(1, JobModel::State).data().toString(), QString("failed"));
        queue.removeFinished();
        QCOMPARE(model.rowCount(), 0);
    }
    void cancelStopsTheRunningJobAndDropsAWaitingOne()
    {
        JobQueue queue;
        const int running = queue.add("running", waitUntilStopped);
        const int waiting = queue.add("waiting", [](const RunContext&) { return QString("never"); });
        QTRY_COMPARE(queue.find(running)->state, JobState::Running);
        queue.cancel(waiting);
        QCOMPARE(queue.find(waiting)->state, JobState::Cancelled);
        QElapsedTimer clock;
        clock.start();
        queue.cancel(running);
        QTRY_COMPARE_WITH_TIMEOUT(queue.find(running)->state, JobState::Cancelled, 20000); // left alone, it never ends
        qInfo("cancelled in %lld ms", static_cast<long long>(clock.elapsed()));
    }
    void progressIsPolled()
    {
        JobQueue queue;
        std::atomic<bool> go = false;
        const int id = queue.add("half", [&](const RunContext& run) {
            const RunContext part = run.part(1, "halfway");
            part.setFraction(0.5);
            while (!go)
                std::this_thread::sleep_for(std::chrono::milliseconds(2));
            return QString();
        });
        QTRY_COMPARE(queue.find(id)->fraction, 0.5);
        QCOMPARE(queue.find(id)->label, QString("halfway"));
        go = true;
        QTRY_COMPARE(queue.find(id)->state, JobState::Finished);
        QCOMPARE(queue.find(id)->fraction, 1.0);
    }
    void cancellingAWaitingJobDoesNotDisturbTheRunningOne()
    {
        JobQueue queue;
        std::atomic<double> fraction = 0.25;
        const int running = queue.add("running", [&](const RunContext& run) -> QString {
            for (;;) {
                run.setFraction(fraction);
                std::this_thread::sleep_for(std::chrono::milliseconds(2));
                run.throwIfStopped();
            }
        });
        const int waiting = queue.add("waiting", waitUntilStopped);
        QTRY_COMPARE(queue.find(running)->fraction, 0.25);
        queue.cancel(waiting);
        QCOMPARE(queue.find(waiting)->state, JobState::Cancelled);
        QCOMPARE(queue.find(waiting)->elapsedSeconds, 0.0); // it never ran
        fraction = 0.75;
        QTRY_COMPARE(queue.find(running)->fraction, 0.75); // still polled
        QTRY_VERIFY(queue.find(running)->elapsedSeconds > 0);
    }
    void cancelAllLeavesNothingToRun()
    {
        JobQueue queue;
        std::atomic<int> begun = 0;
        std::vector<JobState> ends;
        for (int i = 0; i < 5; ++i)
            queue.add(
                "job",
                [&](const RunContext& run) {
                    ++begun;
                    return waitUntilStopped(run);
                },
                [&](const Job& job) { ends.push_back(job.state); });
        QTRY_COMPARE(begun.load(), 1);
        queue.cancelAll();
        QTRY_VERIFY(!queue.isRunning());
        QCOMPARE(ends, std::vector<JobState>(5, JobState::Cancelled)); // each told once
        QCOMPARE(begun.load(), 1);
    }
    void listenersMayAddAndRemoveJobs()
    {
        // jobChanged() and `done` may change the list that they are told about.
        JobQueue queue;
        QStringList ended;
        connect(&queue, &JobQueue::jobChanged, this, [&](int row) {
            if (queue.jobs()[static_cast<std::size_t>(row)].isOver())
                queue.removeFinished();
        });
        JobModel model(queue); // hears of a job after the listener has removed it
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        const auto work = [](const RunContext&) { return QString("made"); };
        queue.add("first", work, [&](const Job& job) {
            ended << job.title + ':' + job.message;
            for (int i = 0; i < 20; ++i) // enough to move the list in memory
                queue.add("more", work, [&](const Job& more) { ended << more.title; });
        });
        QTRY_COMPARE(ended.size(), 21);
        QCOMPARE(ended.front(), QString("first:made"));
        QVERIFY(queue.jobs().empty());
        QCOMPARE(model.rowCount(), 0);
    }
    void goingAwayWhileJobsRunIsQuick()
    {
        QElapsedTimer clock;
        {
            JobQueue queue;
            const int id = queue.add("running", waitUntilStopped);
            queue.add("waiting", waitUntilStopped);
            QTRY_COMPARE(queue.find(id)->state, JobState::Running);
            clock.start();
        } // left alone, the job never ends
        qInfo("gone in %lld ms", static_cast<long long>(clock.elapsed()));
        QVERIFY(clock.elapsed() < 20000);
    }
};

QTEST_GUILESS_MAIN(TstJobQueue)
#include "tst_job_queue.moc"
