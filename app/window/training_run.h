// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/job_group.h"
#include "core/report/series.h"

#include <QObject>

#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

namespace tamis::views {
class TrainingView;
} // namespace tamis::views

namespace tamis::app {

/// One training at a time in the background, and the view that shows it: its progress and losses while it runs, an end with the best so far, an end without a result. What both
/// labs that train do alike; what is trained and where the result goes is theirs.
class TrainingRun : public QObject
{
    Q_OBJECT
public:
    /// None of them owned. `jobs` is of `queue`.
    TrainingRun(JobQueue& queue, JobGroup& jobs, views::TrainingView& view, QObject* parent = nullptr);

    /// What a training is given beside its context. `seen` may be called from any thread.
    struct Talk {
        std::stop_token enough; ///< asked to stop: the training ends with the best so far
        std::function<void(const std::vector<report::Series>&)> seen;
    };
    /// Keeps what was made and says so in a sentence. It is called where the job was not cancelled, in its last moment neither; on the job's thread.
    using Keep = std::function<QString()>;
    using Train = std::function<Keep(const RunContext&, const Talk&)>;
    struct Words {
        QString title, running; ///< of the job: JobGroup::start()
        QString shown;          ///< what the view says is trained
    };
    /// Only while none runs. `ended` is called when the view has forgotten it.
    void start(const Words& words, Train train, JobGroup::Ended ended);
    void finish(); ///< ends the training that runs, with the best so far
    void cancel(); ///< ends it without a result
    bool isRunning() const noexcept { return m_job != 0; }

private:
    JobQueue& m_queue;
    JobGroup& m_jobs;
    views::TrainingView& m_view;
    int m_job = 0;                              ///< 0: nothing is trained
    std::shared_ptr<std::stop_source> m_enough; ///< of the training that runs
};

} // namespace tamis::app
