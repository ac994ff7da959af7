// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/job_queue.h"
#include "app/session/recent_files.h"
#include "app/session/session_document.h"
#include "app/session/workspace.h"
#include "app/window/file_questions.h"
#include "core/plan/plan.h"

#include <QObject>

#include <functional>
#include <memory>

namespace tamis::app {

/// Opens and saves: checkpoints, calibration sets, plans and sessions, in the background. A failed open changes nothing.
class WorkspaceController : public QObject
{
    Q_OBJECT
public:
    WorkspaceController(SessionDocument& document, JobQueue& jobs, RecentFiles& recent, const FileQuestions& ask, QObject* parent = nullptr);

    /// Whatever the path is: an autoencoder (autoencoderRequested), a session (.tamis), a plan (.json with our schema), a calibration set (.h5) for the model that is
    /// open, else a checkpoint.
    void open(const QString& path);
    void openModel(const QString& model, const QString& calibration = {});
    void openSession(const QString& file);
    void recoverSession(const QString& autosave); ///< opened as a changed session without a file
    void openPlan(const QString& file);
    void askAndOpenFile();
    void askAndOpenDirectory();
    void askAndOpenCalibration();
    bool save();   ///< false: not saved
    bool saveAs();
    void closeWorkspace();
    /// Asks to save what has changed. False: the user wants to stay.
    bool mayClose();

    const std::shared_ptr<const Workspace>& workspace() const noexcept { return m_workspace; }
    QString sessionFile() const { return m_sessionFile; }

signals:
    void workspaceChanged();
    /// A plan of the low-rank lab for what is open; the session does not hold its settings yet where something was open before.
    void lowRankPlanOpened(const tamis::plan::Plan& plan);
    void sessionFileChanged();
    void failed(const QString& sentence);
    void warned(const QString& sentence);
    void told(const QString& sentence); ///< what was opened has more than is in sight
    void autoencoderRequested(const QString& path); ///< what open() was given is one, for the encoder lab

private:
    void load(SessionState state, const QString& sessionFile, bool markChanged, std::function<void()> whenOpen = {}); ///< `whenOpen` is called last, only where it opened
    void openLowRankPlan(const plan::Plan& plan, const std::optional<plan::PlannedTokens>& tokens);
    void tellTokens(const std::optional<plan::PlannedTokens>& tokens);
    void saveTo(const QString& file);
    SessionDocument& m_document;
    JobQueue& m_jobs;
    RecentFiles& m_recent;
    const FileQuestions& m_ask; ///< the window's
    std::shared_ptr<const Workspace> m_workspace;
    QString m_sessionFile;
};

} // namespace tamis::app
