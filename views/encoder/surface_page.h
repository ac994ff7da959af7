// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/recall_surface.h"
#include "views/common/figure.h"

#include <QWidget>

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

class QComboBox;
class QLabel;
class QProgressBar;
class QPushButton;
class QToolButton;

namespace tamis::views {

class SurfaceView;

/// Two-stage encoders of every rank and number of candidates: the surface of their recall with their costs, what it is drawn of, and what it
/// says in words.
class SurfacePage : public QWidget {
    Q_OBJECT
public:
    explicit SurfacePage(QWidget* parent = nullptr);

    /// `complete`: all ranks on all tokens; else some of them so far. Null: none.
    void setSurface(std::shared_ptr<const report::RecallSurface> surface, bool complete);
    void setCurrent(const std::optional<std::pair<std::int64_t, std::int64_t>>& current); ///< rank and candidates; nothing: the method has none
    void setProgress(std::optional<double> fraction); ///< nothing: nothing is computed
    void setStopped(bool stopped); ///< by the user, before it was complete: it can be gone on with
    void setStale(bool stale);
    void setProblem(const QString& sentence); ///< why there is no surface; empty: none
    void setCaption(const QString& settings);
    SurfaceView* view() const { return m_view; }
    QString sentence() const; ///< what the surface says of the aim and of the present setting

signals:
    void shown();         ///< came into sight
    void stopRequested();
    void goOnRequested();
    void pointChosen(qlonglong rank, qlonglong candidates); ///< by the user
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

protected:
    void showEvent(QShowEvent* event) override;

private:
    void showState();

    SurfaceView* m_view;
    QComboBox *m_measure, *m_cost, *m_aim;
    QLabel* m_state;
    QProgressBar* m_progress;
    QToolButton* m_stop;
    QPushButton *m_take, *m_goOn;
    bool m_complete = false;
};

} // namespace tamis::views
