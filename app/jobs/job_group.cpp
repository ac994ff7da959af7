// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/jobs/job_group.h"

#include <memory>
#include <utility>

namespace tamis::app {

int JobGroup::start(const QString& title, const QString& running, JobQueue::Work work, Ended ended)
{
    const auto id = std::make_shared<int>(0);
    *id = m_queue.add(title, std::move(work), [this, id, ended = std::move(ended)](const Job& job) {
        std::erase(m_ids, *id);
        if (m_ids.empty())
            m_voice.running({});
        ended(job);
        if (job.state == JobState::Finished)
            m_voice.done(job.message);
        else if (job.state == JobState::Failed)
            m_voice.failed(job.message);
    });
    m_ids.push_back(*id);
    if (!running.isEmpty())
        m_voice.running(running);
    return *id;
}

void JobGroup::stop()
{
    for (const int id : std::vector<int>(m_ids))
        m_queue.cancel(id);
}

} // namespace tamis::app
