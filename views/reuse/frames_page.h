// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/reuse_report.h"
#include "views/common/figure.h"
#include "views/reuse/shown_runs.h"

#include <QImage>
#include <QWidget>

#include <memory>
#include <optional>
#include <vector>

class QCheckBox;
class QComboBox;
class QLabel;
class QSlider;
class QSplitter;
class QStackedWidget;

namespace tamis::views {

class CopyableTableView;
class FrameTimeline;
class FrameView;
class PlaceholderPanel;
class ReuseFrontier;
class ReuseRunModel;
class ReuseSettings;
class TransportBar;

/// The frame player: a frame with its patches and what the model says of it, a transport below; runs as a table and as points; what is saved and
/// lost over time. The row of the table that is chosen is the run that is shown, the asked one is drawn beside it. Settings are for a dock.
class FramesPage : public QWidget {
    Q_OBJECT
public:
    explicit FramesPage(QWidget* parent = nullptr);

    void setEmptyState(const QString& title, const QString& text, const QString& action); ///< instead of the page; an empty title: the page
    /// Frames of a sequence; 0: none. The picture of each is asked for with frameShown().
    void setFrameCount(int count, const std::vector<int>& sceneCuts);
    void setRuns(std::shared_ptr<const ShownRuns> runs); ///< null: none; runs may be incomplete
    void setPhoto(int frame, const QImage& photo); ///< ignored unless it is of the frame that is shown
    void setFrame(int frame);       ///< without a signal
    int frame() const noexcept { return m_frame; }
    void setShownRun(int run);      ///< a row of the runs; without a signal
    int shownRun() const noexcept { return m_run; }
    void setStale(bool stale);      ///< what is shown of the asked run is of older settings, or a first look
    void setProblem(const QString& sentence); ///< below the picture; empty: none
    void setCaption(const QString& settings); ///< for exported pictures
    void showCollisions();          ///< the points: false hits against misses

    ReuseSettings* settings() const { return m_settings; }
    FrameView* view() const { return m_view; }
    FrameTimeline* timeline() const { return m_timeline; }
    TransportBar* transport() const { return m_transport; }
    ReuseFrontier* frontier() const { return m_frontier; }
    CopyableTableView* table() const { return m_table; }
    ReuseRunModel* runs() const { return m_runs; }

signals:
    void openRequested();         ///< of the empty state
    void frameShown(int frame, bool playing); ///< its picture is wanted
    void runShown(int run);       ///< by the user
    void runTaken(int run);       ///< its settings are to become the asked ones
    void runForgotten(int run);
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

protected:
    void hideEvent(QHideEvent* event) override; ///< pauses

private:
    QWidget* buildPlayer();
    QWidget* buildRuns();
    QWidget* buildTimeline();
    QWidget* headed(const QString& title, const QString& name, Figure* figure, QWidget* body, const std::vector<QWidget*>& beside = {});
    void connectParts();
    void showFrame(int frame, bool tell);
    void showResult();
    void showRun();
    void chooseRun(int run);
    const report::ReuseRun* run(int index) const;

    std::shared_ptr<const ShownRuns> m_shown;
    std::vector<int> m_cuts;
    int m_count = 0, m_frame = 0, m_run = 0;
    bool m_stale = false, m_quiet = false;
    QStackedWidget* m_stack;
    PlaceholderPanel* m_empty;
    ReuseSettings* m_settings;
    FrameView* m_view = nullptr;
    TransportBar* m_transport = nullptr;
    FrameTimeline* m_timeline = nullptr;
    ReuseFrontier* m_frontier = nullptr;
    ReuseRunModel* m_runs = nullptr;
    CopyableTableView* m_table = nullptr;
    QLabel *m_labels = nullptr, *m_saved = nullptr, *m_problem = nullptr;
    QSlider* m_opacity = nullptr;
    QCheckBox* m_arrows = nullptr;
    QComboBox *m_loss = nullptr, *m_cost = nullptr;
};

/// What the change of a patch is held against in a run: its threshold where that decides; nothing elsewhere.
std::optional<double> thresholdOf(const report::ReuseRun& run);

} // namespace tamis::views
