// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The jobs that one tab has in the queue, and what it says of them.
#include "app/jobs/job_queue.h"

#include <QString>

#include <functional>
#include <vector>

namespace tamis::app {

/// Owner's thread only. Must be there as long as a job of its own is not over.
class JobGroup {
public:
    using Say = std::function<void(const QString&)>;
    using Ended = std::function<void(const Job&)>;
    struct Voice {
        Say running; ///< a sentence while jobs run; an empty one when the last has left
        Say done;    ///< the message of a job that finished
        Say failed;  ///< and of one that failed
    };
    JobGroup(JobQueue& queue, Voice voice) : m_queue(queue), m_voice(std::move(voice)) {}

    /// Adds a job and returns its id. `running` is said now, unless it is empty. Once the job is over it leaves the group, then `ended` is
    /// called, then done or failed are said; a cancelled one goes without a word.
    int start(const QString& title, const QString& running, JobQueue::Work work, Ended ended);
    void stop(); ///< cancels them all

private:
    JobQueue& m_queue;
    Voice m_voice;
    std::vector<int> m_ids; ///< not over
};

} // namespace tamis::app
