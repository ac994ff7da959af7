// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/jobs/job_queue.h"

#include "app/jobs/failure_sentence.h"
#include "core/base/parallel.h"

#include <algorithm>

namespace tamis::app {

QString jobStateName(JobState state)
{
    switch (state) {
    case JobState::Queued: return JobQueue::tr("waiting");
    case JobState::Running: return JobQueue::tr("running");
    case JobState::Finished: return JobQueue::tr("done");
    case JobState::Failed: return JobQueue::tr("failed");
    case JobState::Cancelled: return JobQueue::tr("cancelled");
    }
    return {};
}

JobQueue::JobQueue(QObject* parent) : QObject(parent)
{
    m_poll.setInterval(100);
    connect(&m_poll, &QTimer::timeout, this, &JobQueue::poll);
    m_worker = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

JobQueue::~JobQueue()
{
    m_worker.request_stop();
    {
        const std::lock_guard lock(m_mutex);
        m_waiting.clear();
        if (m_running)
            m_running->stop.request_stop();
    }
    m_wake.notify_all();
    m_worker.join();
}

int JobQueue::add(const QString& title, Work work, Done done)
{
    auto task = std::make_shared<Task>();
    task->id = m_nextId++;
    task->work = std::move(work);
    Job job;
    job.id = task->id;
    job.title = title;
    m_jobs.push_back(job);
    m_done.emplace_back(task->id, std::move(done));
    emit jobAdded(static_cast<int>(m_jobs.size()) - 1);
    {
        const std::lock_guard lock(m_mutex);
        m_waiting.push_back(task);
    }
    m_wake.notify_all();
    return task->id;
}

void JobQueue::run(const std::stop_token& stop)
{
    Arena arena;
    for (;;) {
        std::shared_ptr<Task> task;
        {
            std::unique_lock lock(m_mutex);
            m_wake.wait(lock, stop, [this] { return !m_waiting.empty(); });
            if (stop.stop_requested())
                return;
            task = m_waiting.front();
            m_waiting.pop_front();
            m_running = task;
            const int id = task->id;
            m_context = std::make_shared<RunContext>(task->stop.get_token(), [this, id](LogLevel level, const std::string& text) {
                QMetaObject::invokeMethod(
                    this,
                    [this, id, level, line = QString::fromStdString(text)] {
                        if (const int row = rowOf(id); row >= 0) {
                            m_jobs[static_cast<std::size_t>(row)].log << line;
                            emit logged(m_jobs[static_cast<std::size_t>(row)].title, level == LogLevel::Warning, line);
                        }
                    },
                    Qt::QueuedConnection);
            });
        }
        QMetaObject::invokeMethod(this, [this, id = task->id] { started(id); }, Qt::QueuedConnection);
        JobState state = JobState::Finished;
        QString message;
        try {
            m_context->throwIfStopped(); // cancelled on its way here
            arena.execute([&] { message = task->work(*m_context); });
        } catch (...) {
            state = isCancellation(std::current_exception()) ? JobState::Cancelled : JobState::Failed;
            message = failureSentence(std::current_exception());
        }
        {
            const std::lock_guard lock(m_mutex);
            m_running.reset();
            m_context.reset();
        }
        task->work = {};
        QMetaObject::invokeMethod(this, [this, id = task->id, state, message] { ended(id, state, message); }, Qt::QueuedConnection);
    }
}

int JobQueue::rowOf(int id) const
{
    const auto found = std::find_if(m_jobs.begin(), m_jobs.end(), [id](const Job& job) { return job.id == id; });
    return found == m_jobs.end() ? -1 : static_cast<int>(found - m_jobs.begin());
}

const Job* JobQueue::find(int id) const
{
    const int row = rowOf(id);
    return row < 0 ? nullptr : &m_jobs[static_cast<std::size_t>(row)];
}

bool JobQueue::isRunning() const
{
    return std::any_of(m_jobs.begin(), m_jobs.end(), [](const Job& job) { return !job.isOver(); });
}

void JobQueue::started(int id)
{
    const int row = rowOf(id);
    if (row < 0 || m_jobs[static_cast<std::size_t>(row)].isOver())
        return;
    m_jobs[static_cast<std::size_t>(row)].state = JobState::Running;
    m_clock.start();
    m_poll.start();
    emit jobChanged(row);
}

void JobQueue::ended(int id, JobState state, const QString& message)
{
    const int row = rowOf(id);
    if (row < 0 || m_jobs[static_cast<std::size_t>(row)].isOver())
        return;
    Job& job = m_jobs[static_cast<std::size_t>(row)];
    if (job.state == JobState::Running) { // a job dropped while it waited leaves the clock to the one that runs
        job.elapsedSeconds = static_cast<double>(m_clock.elapsed()) / 1000;
        m_poll.stop();
    }
    job.state = state;
    job.message = message;
    job.label.clear();
    job.remainingSeconds = 0;
    if (state == JobState::Finished)
        job.fraction = 1;
    const Job copy = job; // listeners may change the list
    Done call;
    const auto done = std::find_if(m_done.begin(), m_done.end(), [id](const auto& entry) { return entry.first == id; });
    if (done != m_done.end()) {
        call = std::move(done->second);
        m_done.erase(done);
    }
    emit jobChanged(row);
    if (call)
        call(copy);
}

void JobQueue::poll()
{
    std::shared_ptr<RunContext> context;
    int id = 0;
    {
        const std::lock_guard lock(m_mutex);
        if (!m_running)
            return;
        context = m_context;
        id = m_running->id;
    }
    const int row = rowOf(id);
    if (row < 0 || !context)
        return;
    Job& job = m_jobs[static_cast<std::size_t>(row)];
    if (job.state != JobState::Running)
        return; // its start is on the way here; the clock is still its predecessor's
    job.fraction = context->fraction();
    job.label = QString::fromStdString(context->label());
    job.elapsedSeconds = static_cast<double>(m_clock.elapsed()) / 1000;
    job.remainingSeconds = job.fraction > 0.02 ? job.elapsedSeconds * (1 - job.fraction) / job.fraction : -1;
    emit jobChanged(row);
}

void JobQueue::cancel(int id)
{
    bool dropped = false;
    {
        const std::lock_guard lock(m_mutex);
        if (m_running && m_running->id == id)
            m_running->stop.request_stop();
        const auto waiting = std::find_if(m_waiting.begin(), m_waiting.end(), [id](const auto& task) { return task->id == id; });
        if (waiting != m_waiting.end()) {
            m_waiting.erase(waiting);
            dropped = true;
        }
    }
    if (dropped)
        ended(id, JobState::Cancelled, tr("cancelled before it began"));
}

void JobQueue::cancelAll()
{
    std::vector<int> open;
    for (const auto& job : m_jobs)
        if (!job.isOver())
            open.push_back(job.id);
    for (auto id = open.rbegin(); id != open.rend(); ++id)
        cancel(*id);
}

void JobQueue::removeFinished()
{
    for (int row = static_cast<int>(m_jobs.size()) - 1; row >= 0; --row)
        if (row < static_cast<int>(m_jobs.size()) && m_jobs[static_cast<std::size_t>(row)].isOver()) {
            emit jobAboutToBeRemoved(row);
            m_jobs.erase(m_jobs.begin() + row);
            emit jobRemoved();
        }
}

} // namespace tamis::app
