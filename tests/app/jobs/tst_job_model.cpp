// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/jobs/job_model.h"
#include "core/base/error.h"
#include "views/jobs/jobs_view.h"

#include <QAbstractItemModelTester>
#include <QItemSelectionModel>
#include <QPushButton>
#include <QTableView>
#include <QTest>

#include <atomic>
#include <chrono>
#include <thread>

using namespace tamis;
using namespace tamis::app;
using views::JobsView;

// The view knows no model of ours, only these numbers.
static_assert(static_cast<int>(JobModel::Title) == JobsView::TitleColumn && static_cast<int>(JobModel::State) == JobsView::StateColumn &&
              static_cast<int>(JobModel::Progress) == JobsView::ProgressColumn && static_cast<int>(JobModel::Elapsed) == JobsView::ElapsedColumn &&
              static_cast<int>(JobModel::Remaining) == JobsView::RemainingColumn && static_cast<int>(JobModel::Message) == JobsView::MessageColumn &&
              static_cast<int>(JobModel::ColumnCount) == JobsView::kColumnCount);

namespace {
QString waitUntilStopped(const RunContext& context)
{
    const RunContext part = context.part(1, "waiting for an end");
    part.setFraction(0.5);
    for (;;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        context.throwIfStopped();
    }
}
QString atOnce(const RunContext&) { return QStringLiteral("made"); }

/// A queue, its model under the tester, and the view, wired as in the window.
struct Desk {
    JobQueue queue;
    JobModel model{queue};
    QAbstractItemModelTester tester{&model, QAbstractItemModelTester::FailureReportingMode::QtTest};
    JobsView view;

    Desk()
    {
        view.setModel(&model);
        QObject::connect(&view, &JobsView::cancelRequested, &queue,
                         [this](int row) { queue.cancel(queue.jobs()[static_cast<std::size_t>(row)].id); });
        QObject::connect(&view, &JobsView::clearFinishedRequested, &queue, &JobQueue::removeFinished);
        view.resize(900, 300);
        view.show();
    }
    QPushButton* button(const char* name) const { return view.findChild<QPushButton*>(name); }
    bool isActive(int row) const { return model.index(row, JobModel::State).data(JobsView::kActiveRole).toBool(); }
    QVariant fraction(int row) const { return model.index(row, JobModel::Progress).data(JobsView::kProgressRole); }
};
} // namespace

class TstJobModel : public QObject
{
    Q_OBJECT
private slots:
    void saysWhichJobsAreActive()
    {
        Desk desk;
        desk.queue.add("over", atOnce);
        QTRY_VERIFY(!desk.queue.isRunning());
        const int running = desk.queue.add("running", waitUntilStopped);
        desk.queue.add("waiting", waitUntilStopped);
        QTRY_COMPARE(desk.queue.find(running)->state, JobState::Running);
        QCOMPARE(desk.model.rowCount(), 3);
        for (int column = 0; column < JobModel::ColumnCount; ++column)
            QVERIFY(desk.model.index(0, column).data(JobsView::kActiveRole).isValid());
        QVERIFY(!desk.isActive(0));
        QVERIFY(desk.isActive(1));
        QVERIFY(desk.isActive(2));
    }
    void cancelWithoutASelectionTakesTheRunningJob()
    {
        Desk desk;
        desk.queue.add("over", atOnce);
        QTRY_VERIFY(!desk.queue.isRunning());
        const int running = desk.queue.add("running", waitUntilStopped);
        QTRY_COMPARE(desk.queue.find(running)->state, JobState::Running);
        QTRY_VERIFY(desk.button("cancelJob")->isEnabled());
        QTest::mouseClick(desk.button("cancelJob"), Qt::LeftButton);
        QTRY_COMPARE(desk.queue.find(running)->state, JobState::Cancelled);
        QVERIFY(!desk.button("cancelJob")->isEnabled()); // nothing is left to cancel
        QCOMPARE(desk.queue.jobs()[0].state, JobState::Finished);
    }
    void deleteCancelsTheSelectedJob()
    {
        Desk desk;
        const int running = desk.queue.add("running", waitUntilStopped);
        const int waiting = desk.queue.add("waiting", waitUntilStopped);
        QTRY_COMPARE(desk.queue.find(running)->state, JobState::Running);
        desk.view.view()->selectRow(1);
        QTest::keyClick(desk.view.view(), Qt::Key_Delete);
        QCOMPARE(desk.queue.find(waiting)->state, JobState::Cancelled);
        QCOMPARE(desk.queue.find(running)->state, JobState::Running);
    }
    void clearingKeepsTheRunningJobAndItsSelection()
    {
        Desk desk;
        desk.queue.add("over", atOnce);
        desk.queue.add("failed", [](const RunContext&) -> QString { throw Error(ErrorCode::IoFailure, "is gone", "b.bin"); });
        QTRY_VERIFY(!desk.queue.isRunning());
        const int running = desk.queue.add("running", waitUntilStopped);
        QTRY_COMPARE(desk.queue.find(running)->state, JobState::Running);
        QCOMPARE(desk.model.index(1, JobModel::Message).data().toString(), QString("b.bin: is gone"));
        desk.view.view()->selectRow(2);
        QVERIFY(desk.button("clearJobs")->isEnabled());
        QTest::mouseClick(desk.button("clearJobs"), Qt::LeftButton);
        QCOMPARE(desk.model.rowCount(), 1);
        QCOMPARE(desk.model.index(0, JobModel::Title).data().toString(), QString("running"));
        QVERIFY(!desk.button("clearJobs")->isEnabled());
        QCOMPARE(desk.view.view()->selectionModel()->selectedRows().size(), 1);
        QTRY_COMPARE(desk.fraction(0).toDouble(), 0.5); // the polled row is the moved one
    }
    void progressAppearsOnlyAfterAWhile()
    {
        Desk desk;
        int early = 0, late = 0;
        connect(&desk.model, &QAbstractItemModel::dataChanged, this, [&](const QModelIndex& first) {
            const Job& job = desk.queue.jobs()[static_cast<std::size_t>(first.row())];
            if (job.state != JobState::Running)
                return;
            const bool shown = desk.fraction(first.row()).isValid();
            QCOMPARE(shown, job.elapsedSeconds >= 0.15);
            QCOMPARE(!desk.model.index(first.row(), JobModel::Progress).data().toString().isEmpty(), shown);
            ++(shown ? late : early);
        });
        const int running = desk.queue.add("running", waitUntilStopped);
        const int waiting = desk.queue.add("waiting", atOnce);
        QTRY_VERIFY(late >= 2);
        QVERIFY(early >= 1); // its start, at 0 s
        QVERIFY(!desk.fraction(1).isValid());
        QCOMPARE(desk.model.index(1, JobModel::Elapsed).data().toString(), QString());
        desk.queue.cancel(running);
        QTRY_COMPARE(desk.queue.find(waiting)->state, JobState::Finished);
        QCOMPARE(desk.fraction(0).toDouble(), 0.5); // where it was stopped
        QCOMPARE(desk.fraction(1).toDouble(), 1.0);
        for (int row = 0; row < 2; ++row)
            QCOMPARE(desk.model.index(row, JobModel::Progress).data().toString(), QString()); // no part runs any more
    }
    void aSlowJobSaysHowLongItStillTakes()
    {
        Desk desk;
        std::atomic<bool> go = false;
        const int id = desk.queue.add("half", [&](const RunContext& run) {
            run.setFraction(0.5);
            while (!go)
                std::this_thread::sleep_for(std::chrono::milliseconds(2));
            return QString();
        });
        QTRY_VERIFY(desk.queue.find(id)->remainingSeconds > 0);
        // Half is done: as long again as it took so far.
        QCOMPARE(desk.queue.find(id)->remainingSeconds, desk.queue.find(id)->elapsedSeconds);
        QVERIFY(!desk.model.index(0, JobModel::Remaining).data().toString().isEmpty());
        go = true;
        QTRY_COMPARE(desk.queue.find(id)->state, JobState::Finished);
        QCOMPARE(desk.model.index(0, JobModel::Remaining).data().toString(), QString());
    }
};

QTEST_MAIN(TstJobModel)
#include "tst_job_model.moc"
