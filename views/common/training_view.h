// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A training while it runs: its losses, how far it is, a way to end it with the best so far and one to give it up.
#include "core/report/series.h"
#include "views/common/figure.h"

#include <QWidget>

#include <vector>

class QLabel;
class QProgressBar;
class QPushButton;

namespace tamis::views {

class LineChart;

class TrainingView : public QWidget {
    Q_OBJECT
public:
    /// What a lab says here.
    struct Words {
        QString suffix;      ///< of the object names of buttons, progress and line
        QString chart;       ///< object name of the chart
        QString picture;     ///< file name of pictures of it
        QString emptyChart;  ///< before anything is trained
        QString notTrained;  ///< what the line says of something that was not trained here
        QString trainHelp;   ///< of the button, when it may be pressed
        QString finishHelp;  ///< of the one that ends it with the best so far
    };
    TrainingView(const Words& words, QWidget* parent);

    /// Losses by step, of the training that runs or of what is shown; empty: none.
    void setLosses(const std::vector<report::Series>& losses);
    void setRunning(const QString& title); ///< what is trained; empty: nothing
    bool isRunning() const noexcept { return !m_running.isEmpty(); }
    void setProgress(double fraction, double remainingSeconds); ///< below 0: not known
    void setFinishing();                        ///< it was asked to end
    void setTrainReason(const QString& reason); ///< why nothing can be trained now; empty: it can
    void setCaption(const QString& settings);
    LineChart* chart() const { return m_chart; }

signals:
    void trainRequested();
    void finishRequested();
    void cancelRequested();
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    QPushButton* button(const QString& title, const QString& name, const QString& help);
    void showState();

    Words m_words;
    std::vector<report::Series> m_losses;
    QString m_running;
    double m_remaining = -1;
    bool m_finishing = false;
    LineChart* m_chart;
    QLabel* m_state;
    QProgressBar* m_progress;
    QPushButton *m_train, *m_finish, *m_cancel;
};

} // namespace tamis::views
