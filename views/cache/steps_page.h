// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/cache_size_report.h"
#include "views/cache/policy_list_model.h"
#include "views/common/figure.h"

#include <QTimer>
#include <QWidget>

#include <memory>
#include <vector>

class QBoxLayout;
class QComboBox;
class QLabel;
class QSlider;
class QSpinBox;
class QStackedWidget;
class QToolButton;
class QVBoxLayout;

namespace tamis::views {

class PlaceholderPanel;
class StepBoard;
class StepTape;

/// A small cache request by request, forward and back, of one policy or of two side by side. With focus: Left, Right, Page up, Page down, Home, End
/// move, Space plays and halts.
class StepsPage : public QWidget {
    Q_OBJECT
public:
    explicit StepsPage(QWidget* parent = nullptr);

    void setNothing(bool nothing); ///< no trace is open
    void setPolicies(const std::vector<OfferedPolicy>& policies);
    void setChoice(const QString& policy, const QString& beside, int cells, qint64 first, qint64 requests); ///< without a signal; `requests` of the trace
    /// Null: none. The position stays where both have as many steps.
    void setSteps(std::shared_ptr<const report::CacheStepReport> steps, std::shared_ptr<const report::CacheStepReport> beside);
    void setStale(bool stale);
    void setPosition(int position); ///< without a signal
    int position() const;
    bool isPlaying() const { return m_clock.isActive(); }
    void setCaption(const QString& settings);
    StepBoard* board() const { return m_board; }
    StepBoard* besideBoard() const { return m_beside; }
    StepTape* tape() const { return m_tape; }

public slots:
    void play(bool on);
    void stepBy(int steps); ///< by the user

signals:
    void policyEdited(const QString& id);
    void besideEdited(const QString& id); ///< empty: none
    void cellsEdited(int cells);
    void firstEdited(qint64 request);
    void positionEdited(int position);
    void openRequested();
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

protected:
    void keyPressEvent(QKeyEvent* event) override;
    void hideEvent(QHideEvent* event) override;

private:
    QToolButton* transport(QBoxLayout* row, const QString& name, const QString& text, const QString& help);
    void buildChoices(QVBoxLayout* column);
    void buildTransport(QVBoxLayout* column);
    void buildBoards(QVBoxLayout* column);
    void goTo(int position);
    void showPosition();

    QStackedWidget* m_stack;
    PlaceholderPanel* m_empty;
    StepBoard *m_board, *m_beside;
    StepTape* m_tape;
    QComboBox *m_policy = nullptr, *m_besidePolicy = nullptr;
    QSpinBox *m_cells = nullptr, *m_first = nullptr, *m_speed = nullptr;
    QSlider* m_scrub = nullptr;
    QToolButton* m_play = nullptr;
    QLabel *m_where = nullptr, *m_title = nullptr, *m_outcome = nullptr, *m_besideTitle = nullptr, *m_besideOutcome = nullptr, *m_stale = nullptr;
    QWidget* m_besideBox = nullptr;
    QTimer m_clock;
    bool m_quiet = false;
};

} // namespace tamis::views
