// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/job_group.h"
#include "app/jobs/lane.h"
#include "app/window/cache_neighbours.h"
#include "app/window/cache_work.h"
#include "app/window/repaint_delay.h"

#include <QObject>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tamis::views {
class CachePanel;
class CacheSettings;
class CurvesPage;
class StepsPage;
struct ShownCurve;
} // namespace tamis::views

namespace tamis::app {

/// The cache lab's traces, curves, size cursor and step player: every edit is an undoable change of the session, and a request on a lane; nothing is
/// computed on this thread.
class CacheController : public QObject
{
    Q_OBJECT
public:
    CacheController(const CacheNeighbours& neighbours, views::CachePanel& panel, QObject* parent = nullptr);
    ~CacheController() override;

    void askAndOpen();
    void open(const QString& trace);
    void openBundled();
    void close(); ///< the trace
    void stop();  ///< what is read or computed
    void setTicked(const QStringList& policies);
    void setFocused(const QString& policy);
    void setSize(quint64 size, bool finished);
    void keep();            ///< the policy in focus with its parameters
    void removeKept(int place);
    void putIntoPlan();
    void removeFromPlan();
    void setRule(const QString& name, const ParameterValue& value, bool finished); ///< of capacity
    void exportJson();
    QString disabledReason() const; ///< why there is nothing to compute on; empty: a trace is open
    QString removeDisabledReason() const; ///< of the plan's part

    const std::shared_ptr<const CacheSources>& sources() const noexcept { return m_sources; } ///< null: no trace
    cache::Configuration configuration() const; ///< in focus, complete
    quint64 size() const;                        ///< of the cursor; 0: no trace
    double warmUp() const;
    const std::vector<views::ShownCurve>& curves() const;
    const LaneCore& curvesLane() const noexcept { return m_curves; }
    const LaneCore& sizesLane() const noexcept { return m_sizes; }
    bool isBusy() const { return m_curves.isBusy() || m_sizes.isBusy() || m_steps.isBusy() || m_shape.isBusy(); }
    views::CurvesPage& curvesPage() const noexcept { return *m_page; }
    views::StepsPage& stepsPage() const noexcept { return *m_stepsPage; }
    views::CacheSettings& settings() const noexcept { return *m_settings; }

signals:
    void availabilityChanged();
    void opened();                                          ///< a trace, by the user
    void traceChanged();                                    ///< another trace is open, or none
    void sizeChanged(quint64 size);                         ///< of the cursor, while it is dragged, too
    void configurationChanged();                            ///< the policy in focus, its parameters or the warm-up
    void curvesShown(bool complete, bool sampled);
    void sizeShown(bool exact);                             ///< panels of the cursor's size
    void done(const QString& sentence);
    void failed(const QString& sentence);

private:
    void build(views::CachePanel& panel);
    void connectViews(views::CachePanel& panel);
    void connectSettings();
    void load(const CacheChoice& choice, bool asked);
    void takeLoaded(const std::shared_ptr<const CacheSources>& sources, const CacheChoice& choice, bool asked);
    void takeState();
    const CacheChoice& choice() const;
    void change(const QString& label, const QString& mergeKey, bool finished, const std::function<void(CacheChoice&)>& edit);
    Parameters completeOf(const std::string& policy) const;
    std::vector<std::string> ticked() const;
    void showChoices();
    void showNothing();
    void showPlan();
    void showFailure(const QString& sentence); ///< of a lane
    QString planDisabledReason() const;
    void requestCurves();
    void requestSize();
    void requestSteps();
    void showCurves(const CurvePicture& picture, const CurveRequest& of, bool complete);
    QString caption() const;

    CacheNeighbours m_with;
    views::CachePanel& m_panel;
    views::CurvesPage* m_page;      ///< the panel owns these
    views::StepsPage* m_stepsPage;
    views::CacheSettings* m_settings;
    JobGroup m_jobs;
    std::shared_ptr<const CacheSources> m_sources;
    std::shared_ptr<CurveMemory> m_memory;
    std::string m_loading, m_refused; ///< traces, with their options in words: being read; that could not be read
    int m_job = 0;
    std::optional<std::uint64_t> m_dragged; ///< size of the cursor while it is held
    CacheChoice m_shownOf;                  ///< that the lanes were last asked for
    RepaintDelay m_repaints;                ///< of an edit, until its first picture
    Lane<CurveRequest, CurvePicture> m_curves;
    Lane<SizeRequest, report::CacheSizeReport> m_sizes;
    Lane<StepRequest, StepPicture> m_steps;
    Lane<std::shared_ptr<const CacheSources>, report::TraceReport> m_shape;
};

} // namespace tamis::app
