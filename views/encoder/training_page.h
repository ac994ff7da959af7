// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/series.h"
#include "views/common/figure.h"
#include "views/encoder/trained_model.h"

#include <QWidget>

#include <optional>
#include <vector>

class QPushButton;

namespace tamis::views {

class CopyableTableView;
class LineChart;
class TrainingView;

/// Encoders that are trained: the losses while it runs, a way to end it with the best so far and one to give it up, and what was trained in
/// this session, to be made current, saved and opened.
class TrainingPage : public QWidget {
    Q_OBJECT
public:
    explicit TrainingPage(QWidget* parent = nullptr);

    /// Losses by step, of the training that runs or of the current encoder; empty: none.
    void setLosses(const std::vector<report::Series>& losses);
    void setRunning(const QString& title); ///< what is trained; empty: nothing
    bool isRunning() const noexcept;
    void setProgress(double fraction, double remainingSeconds); ///< below 0: not known
    void setFinishing();                   ///< it was asked to end
    void setTrainReason(const QString& reason); ///< why nothing can be trained now; empty: it can
    void setOpenReason(const QString& reason);  ///< why no trained encoder can be opened now; empty: it can
    void setTrained(std::vector<TrainedRow> rows);
    void setCaption(const QString& settings);

    LineChart* chart() const;
    TrainedModel* model() const { return m_model; }
    CopyableTableView* table() const { return m_table; }
    std::optional<int> selected() const; ///< number of the row that is selected, or of the only one

signals:
    void trainRequested();
    void finishRequested();
    void cancelRequested();
    void openRequested();
    void takeRequested(int number);
    void saveRequested(int number);
    void forgetRequested(int number);
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    QWidget* buildList();
    QPushButton* button(const QString& title, const char* name, const QString& help);
    void showState();

    TrainingView* m_view;
    TrainedModel* m_model;
    CopyableTableView* m_table;
    QPushButton *m_take, *m_save, *m_open, *m_forget;
};

} // namespace tamis::views
