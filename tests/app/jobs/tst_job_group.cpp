// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/jobs/job_group.h"
#include "core/base/error.h"

#include <QTest>

#include <chrono>
#include <thread>

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

class TstJobGroup : public QObject
{
    Q_OBJECT
    JobQueue m_queue;
    QStringList m_said;
    JobGroup::Voice voice()
    {
        return {[this](const QString& text) { m_said << "running:" + text; }, [this](const QString& text) { m_said << "done:" + text; },
                [this](const QString& text) { m_said << "failed:" + text; }};
    }

private slots:
    void init() { m_said.clear(); }
    void saysWhatBecameOfItsJobs()
    {
        JobGroup group(m_queue, voice());
        const auto ended = [this](const Job& job) { m_said << "ended:" + job.title; };
        group.start("one", "counting", [](const RunContext&) { return QString("1 counted"); }, ended);
        group.start("two", {}, [](const RunContext&) -> QString { throw Error(ErrorCode::IoFailure, "is gone", "b.bin"); }, ended);
        QTRY_COMPARE(m_said.size(), qsizetype(6));
        QCOMPARE(m_said, (QStringList{"running:counting", "ended:one", "done:1 counted", "running:", "ended:two", "failed:b.bin: is gone"}));
    }
    void stopsItsOwnJobsOnly()
    {
        JobGroup group(m_queue, voice()), other(m_queue, voice());
        const int mine = group.start("mine", {}, waitUntilStopped, [](const Job&) {});
        const int theirs = other.start("theirs", {}, waitUntilStopped, [](const Job&) {});
        QTRY_COMPARE(m_queue.find(mine)->state, JobState::Running);
        group.stop();
        QTRY_COMPARE(m_queue.find(mine)->state, JobState::Cancelled);
        QTRY_COMPARE(m_queue.find(theirs)->state, JobState::Running);
        QCOMPARE(m_said, QStringList{"running:"}); // a cancelled job goes without a word
        other.stop();
        QTRY_COMPARE(m_queue.find(theirs)->state, JobState::Cancelled);
    }
};

QTEST_GUILESS_MAIN(TstJobGroup)
#include "tst_job_group.moc"
