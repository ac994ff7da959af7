// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/job_group.h"
#include "app/jobs/lane.h"
#include "app/session/session_document.h"
#include "app/window/file_questions.h"
#include "app/window/repaint_delay.h"
#include "app/window/reuse_plan.h"
#include "app/window/reuse_runs.h"
#include "app/window/reuse_work.h"

#include "views/common/figure.h"
#include "views/reuse/shown_runs.h"

#include <QObject>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tamis::views {
class FramesPage;
} // namespace tamis::views

namespace tamis::app {

/// What the controller shares with the others. Not owned.
struct ReuseNeighbours {
    SessionDocument& document;
    JobQueue& jobs;
    const FileQuestions& ask;
    std::function<void(const views::Figure& figure, views::FigureFormat format, const QString& name)> write; ///< a picture or a table, where the user says
};

/// Between the session, the open model, a sequence of frames and the frame player. The sequence, the method, its parameters and what is kept are
/// undoable; every edit is a request on a lane that shows the frame that is looked at first and then all frames one by one. Opening a sequence
/// and comparing methods are jobs; so is running what a session has kept, behind the first run. Nothing is opened or computed while the page is out of sight.
class ReuseController : public QObject
{
    Q_OBJECT
public:
    ReuseController(const ReuseNeighbours& neighbours, views::FramesPage& page, QObject* parent = nullptr); ///< `page` outlives it

    enum class Reads { Unknown, Images, Text }; ///< Unknown: the model is not read yet, or cannot be run
    void setModel(std::shared_ptr<RunnableModel> model, Reads reads); ///< that is open; null: none
    void askAndOpen();
    void openBundled();
    void openFrames(const QString& folder);
    void keep();       ///< the present setting, beside those to come
    void forgetAll();  ///< of what is kept
    void compare();    ///< every method as it starts from, and what is kept, on all frames
    void sweepKey();   ///< content keys over their radius or bits, kept beside the others; false hits against misses are shown
    void stop();       ///< what is being computed, and the jobs started here
    void togglePlay();
    void step(int by); ///< frames
    void putIntoPlan();
    void takeOutOfPlan();

    QString disabledReason() const; ///< why nothing can be run; empty: it can
    QString keepDisabledReason() const;
    QString forgetDisabledReason() const;
    QString compareDisabledReason() const;
    QString sweepDisabledReason() const;
    QString planDisabledReason() const;
    QString unplanDisabledReason() const;

    ReuseSetting setting() const; ///< of the session, with those parameters alone that its method has
    const std::shared_ptr<const ReuseSources>& sources() const noexcept { return m_sources; } ///< null: none
    const std::shared_ptr<const views::ShownRuns>& shown() const noexcept { return m_shown; } ///< null: nothing
    bool isUpToDate() const; ///< all frames are of the present setting
    const LaneCore& lane() const noexcept { return m_lane; }
    const LaneCore& pictureLane() const noexcept { return m_pictureLane; }

signals:
    void pictureShown(bool whole);
    void availabilityChanged();
    void done(const QString& sentence);
    void failed(const QString& sentence);

protected:
    bool eventFilter(QObject* watched, QEvent* event) override; ///< the page comes into sight

private:
    struct Wanted {
        std::shared_ptr<RunnableModel> model;
        std::filesystem::path folder;
        bool operator==(const Wanted&) const = default;
    };
    void connectPage();
    void connectLanes();
    void edit(const QString& label, const QString& mergeKey, bool finished, const std::function<void(ReuseChoice&)>& change);
    bool isVision() const noexcept { return m_model && m_reads == Reads::Images; }
    bool inSight() const;
    std::filesystem::path folder() const; ///< of the session, else the bundled one; empty: that is not there
    std::optional<Wanted> wanted() const; ///< sequence that is to be open; nothing: none
    void open(const Wanted& wanted);
    void takeSources(const std::shared_ptr<const ReuseSources>& sources);
    void request(); ///< the lane, where the page is in sight
    void requestPicture(int frame, bool playing);
    void show(const std::shared_ptr<const ReuseResult>& result);
    void showRuns();
    void showStale();
    void take(const std::string& key, report::ReuseRun run);
    std::vector<ReuseSetting> missing() const; ///< of what is kept
    void runMissing(const QString& title);
    void keepAndRun(const QString& label, const QString& title, const std::vector<ReuseSetting>& more);
    void restore();
    void showState();
    void showEmpty();
    void showSettings();
    void takeRun(int index);
    void forgetRun(int index);
    QString caption() const;

    ReuseNeighbours m_with;
    views::FramesPage& m_page;
    std::shared_ptr<RunnableModel> m_model;
    Reads m_reads = Reads::Unknown;
    JobGroup m_opens, m_jobs;              ///< sequences that are opened; comparisons
    std::optional<Wanted> m_opening;       ///< by m_openJob, or in vain
    QString m_problem;                     ///< why m_opening could not be opened
    std::shared_ptr<const ReuseSources> m_sources;
    std::shared_ptr<const ReuseResult> m_result;
    std::shared_ptr<const views::ShownRuns> m_shown;
    ReuseRuns m_done;                      ///< on all frames of m_sources
    std::vector<std::shared_ptr<const report::ReuseRun>> m_trivial;
    std::optional<ReuseSetting> m_asked;   ///< of the lane, last
    bool m_failed = false;                 ///< m_asked
    bool m_restores = true;                ///< what is kept and was not run yet is run by itself; not once that was stopped
    int m_openJob = 0, m_compareJob = 0;   ///< 0: none
    RepaintDelay m_repaints;               ///< of an edit, until its first picture
    Lane<ReuseRequest, ReuseResult> m_lane;
    Lane<FramePictureRequest, FramePicture> m_pictureLane;
};

} // namespace tamis::app
