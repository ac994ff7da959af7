// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/job_queue.h"
#include "app/session/session_document.h"
#include "app/window/export_controller.h"
#include "app/window/file_questions.h"
#include "app/window/lowrank_work.h"
#include "app/window/model_controller.h"

#include <QObject>

#include <memory>
#include <vector>

namespace tamis::views {
class LowRankPanel;
} // namespace tamis::views

namespace tamis::app {

/// The views that the low-rank lab is shown in. Not owned.
struct LowRankViews {
    views::LowRankPanel* panel = nullptr;
};

/// What the controller shares with the others. Not owned.
struct LowRankNeighbours {
    SessionDocument& document;
    ModelController& model;
    ExportController& exports;
    JobQueue& jobs;
    const FileQuestions& ask;
};

/// Between the session, the lab's methods and its tab.
class LowRankController : public QObject
{
    Q_OBJECT
public:
    LowRankController(const LowRankNeighbours& neighbours, const LowRankViews& views, QObject* parent = nullptr);

    void setWorkspace(std::shared_ptr<const Workspace> workspace); ///< null: nothing is open; after the model controller's
    void stop(); ///< the jobs started here

signals:
    void done(const QString& sentence);
    void failed(const QString& sentence);

private:
    LowRankNeighbours m_with;
    LowRankViews m_views;
    std::shared_ptr<const Workspace> m_workspace;
    std::vector<int> m_jobIds; ///< not over
};

} // namespace tamis::app
