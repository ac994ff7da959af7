// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Work that runs once (open, export): state, progress, cancel.
#include "core/base/run_context.h"

#include <QElapsedTimer>
#include <QObject>
#include <QStringList>
#include <QTimer>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace tamis::app {

enum class JobState { Queued, Running, Finished, Failed, Cancelled };
QString jobStateName(JobState state);

struct Job {
    int id = 0;
    QString title;
    JobState state = JobState::Queued;
    double fraction = 0;      ///< 0..1; where it stopped, once it failed or was cancelled
    QString label;            ///< of the part that runs; empty before and after
    double elapsedSeconds = 0; ///< of running; 0 if it never ran
    double remainingSeconds = -1; ///< estimate; below 0: unknown
    QString message;          ///< the error's sentence, or what was done
    QStringList log;
    bool isOver() const noexcept { return state >= JobState::Finished; }
};

/// One job at a time on a worker of its own, in the order they came. All members: the owner's thread only; `work` runs on the
/// worker, `done` on the owner's thread, once for each job that ends while the queue lives. Listeners and `done` may add,
/// cancel and remove jobs.
class JobQueue : public QObject
{
    Q_OBJECT
public:
    using Work = std::function<QString(const RunContext&)>; ///< returns what was done, in words; may throw
    using Done = std::function<void(const Job&)>;

    explicit JobQueue(QObject* parent = nullptr);
    ~JobQueue() override; ///< stops, waits for the running job to see it, drops the rest

    int add(const QString& title, Work work, Done done = {});
    void cancel(int id);
    void cancelAll();
    void removeFinished();
    const std::vector<Job>& jobs() const noexcept { return m_jobs; }
    const Job* find(int id) const;
    bool isRunning() const;

signals:
    void jobAdded(int row);
    void jobChanged(int row);
    void jobAboutToBeRemoved(int row);
    void jobRemoved();
    void logged(const QString& title, bool warning, const QString& text);

private:
    struct Task {
        int id = 0;
        Work work;
        std::stop_source stop;
    };
    void run(const std::stop_token& stop);
    void started(int id);
    void ended(int id, JobState state, const QString& message);
    void poll();
    int rowOf(int id) const;

    std::vector<Job> m_jobs;
    std::vector<std::pair<int, Done>> m_done;
    int m_nextId = 1;
    QTimer m_poll;
    QElapsedTimer m_clock;
    mutable std::mutex m_mutex; ///< guards the next three
    std::deque<std::shared_ptr<Task>> m_waiting;
    std::shared_ptr<Task> m_running;
    std::shared_ptr<RunContext> m_context;
    std::condition_variable_any m_wake;
    std::jthread m_worker;
};

} // namespace tamis::app
