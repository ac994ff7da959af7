// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/lane.h"
#include "app/window/lowrank_controller.h"
#include "app/window/lowrank_run.h"
#include "app/window/repaint_delay.h"

#include <QObject>

#include <memory>
#include <optional>
#include <utility>

namespace tamis::views {
class PreconditionerPage;
class RunPage;
class RunSettings;
struct LabMethod;
} // namespace tamis::views

namespace tamis::app {

/// One method of the lab with its parameters: fast methods follow every edit on a lane, the others run as jobs. Also the ridge
/// meter and the preconditioners' chart of the matrix in focus. Works only while its pages are in sight.
class LowRankRunController : public QObject
{
    Q_OBJECT
public:
    /// `lab` shares what is open, where samples are, and its jobs.
    LowRankRunController(const LowRankNeighbours& neighbours, const LowRankViews& views, LowRankController& lab);

    void setWorkspace(std::shared_ptr<const Workspace> workspace); ///< null: nothing is open
    void showState(const SessionState& state);
    void showMethods(const std::vector<views::LabMethod>& methods);
    void run();   ///< the method as it is set, whatever is on screen
    void store(); ///< asks for a directory
    /// Shows what was stored, without running the method, and makes its settings the session's; a plan that cannot be shown changes
    /// nothing.
    void openPlan(const plan::Plan& plan);
    void request(); ///< what is in sight
    QString runDisabledReason() const;   ///< why the method cannot run; empty: it can
    QString storeDisabledReason() const; ///< why nothing can be stored; empty: it can
    bool isBusy() const; ///< a lane computes
    const std::shared_ptr<const RunPicture>& picture() const noexcept { return m_picture; }
    LaneCore& lane() noexcept { return m_lane; }

signals:
    void pictureShown(bool complete);

private:
    void connectSettings();
    void connectPages();
    const lowrank::Method* method() const; ///< of the session, or the lab's first; null: the lab has none
    bool isLive() const; ///< follows a slider: runs no samples, neither for the method nor for its allocation
    RunRequest runRequest() const; ///< of the session
    RunRequest requestOf(const Settings& run) const;
    std::string focus() const; ///< matrix in focus that the calibration set covers
    void show(const std::shared_ptr<const RunPicture>& picture);
    void showFailure(const QString& sentence);
    void showStale();
    void runAsJob(const RunRequest& request);
    void requestRidge();
    void requestChart();
    void addToComparison();
    bool isInSight(const char* page) const;
    template <class Edit> void edit(const QString& label, const QString& mergeKey, bool finished, Edit&& change);

    LowRankNeighbours m_with;
    LowRankViews m_views;
    LowRankController& m_lab;
    views::RunPage* m_page;
    views::RunSettings* m_settings;
    views::PreconditionerPage* m_chartPage;
    std::shared_ptr<const Workspace> m_workspace;
    std::shared_ptr<const RunPicture> m_picture;
    std::optional<RunRequest> m_asked;      ///< of the lane, newest
    std::optional<RidgeRequest> m_ridgeAsked;
    std::optional<ChartRequest> m_chartAsked;
    bool m_jobRuns = false;
    std::pair<QString, QString> m_reasons; ///< to run, to store: as they were told last
    RepaintDelay m_repaints;               ///< of an edit, until its first picture
    Lane<RunRequest, RunPicture> m_lane;
    Lane<RidgeRequest, views::RidgeSweep> m_ridgeLane;
    Lane<ChartRequest, report::MethodFigure> m_chartLane;
};

} // namespace tamis::app
