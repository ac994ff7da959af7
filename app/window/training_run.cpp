// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/training_run.h"

#include "views/common/training_view.h"

#include <QCoreApplication>
#include <QPointer>

namespace tamis::app {

TrainingRun::TrainingRun(JobQueue& queue, JobGroup& jobs, views::TrainingView& view, QObject* parent) : QObject(parent), m_queue(queue), m_jobs(jobs), m_view(view)
{
    connect(&m_queue, &JobQueue::jobChanged, this, [this](int row) {
        const auto& all = m_queue.jobs();
        if (m_job != 0 && row >= 0 && row < static_cast<int>(all.size()) && all[static_cast<std::size_t>(row)].id == m_job)
            m_view.setProgress(all[static_cast<std::size_t>(row)].fraction, all[static_cast<std::size_t>(row)].remainingSeconds);
    });
}

void TrainingRun::start(const Words& words, Train train, JobGroup::Ended ended)
{
    m_enough = std::make_shared<std::stop_source>();
    m_view.setLosses({});
    m_view.setRunning(words.shown);
    const Talk talk{m_enough->get_token(), [guard = QPointer<TrainingRun>(this), run = m_enough](const std::vector<report::Series>& losses) {
                        QMetaObject::invokeMethod(qApp, [guard, run, losses] {
                            if (guard && guard->m_enough == run) // not over yet
                                guard->m_view.setLosses(losses);
                        }, Qt::QueuedConnection);
                    }};
    m_job = m_jobs.start(
        words.title, words.running,
        [train = std::move(train), talk](const RunContext& context) {
            const Keep keep = train(context, talk);
            context.throwIfStopped(); // cancelled in its last moment: nothing is kept
            return keep();
        },
        [this, ended = std::move(ended)](const Job& job) {
            m_job = 0;
            m_enough.reset();
            m_view.setRunning({});
            ended(job);
        });
}

void TrainingRun::finish()
{
    if (!m_enough)
        return;
    m_enough->request_stop();
    m_view.setFinishing();
}

void TrainingRun::cancel()
{
    if (m_job != 0)
        m_queue.cancel(m_job);
}

} // namespace tamis::app
