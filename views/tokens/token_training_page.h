// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/series.h"
#include "views/common/figure.h"

#include <QWidget>

#include <vector>

class QPushButton;

namespace tamis::views {

class TrainingView;

/// A token method that is trained: its losses while it runs, and files that what was trained is saved to and opened from.
class TokenTrainingPage : public QWidget {
    Q_OBJECT
public:
    explicit TokenTrainingPage(QWidget* parent = nullptr);
    TrainingView* training() const { return m_training; }
    void setSaveReason(const QString& reason); ///< why there is nothing to save; empty: there is
    void setOpenReason(const QString& reason); ///< why no file can be opened now; empty: it can

signals:
    void trainRequested();
    void finishRequested();
    void cancelRequested();
    void saveRequested();
    void openRequested();
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    TrainingView* m_training;
    QPushButton *m_save, *m_open;
};

} // namespace tamis::views
