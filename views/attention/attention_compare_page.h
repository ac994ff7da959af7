// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/attention_report.h"
#include "views/common/figure.h"

#include <QWidget>

#include <memory>

class QComboBox;
class QLabel;
class QPushButton;

namespace tamis::views {

class AttentionFrontier;

/// Attention methods compared on the samples: the chart, what it is drawn against, and the button that starts it.
class AttentionComparePage : public QWidget {
    Q_OBJECT
public:
    explicit AttentionComparePage(QWidget* parent = nullptr);
    void setComparison(std::shared_ptr<const report::AttentionComparison> comparison); ///< null: none
    const std::shared_ptr<const report::AttentionComparison>& comparison() const noexcept { return m_comparison; }
    void setRunning(bool running);
    void setDisabledReason(const QString& reason); ///< why nothing can be compared; empty: it can
    AttentionFrontier* chart() const { return m_chart; }

signals:
    void compareRequested();
    void pointActivated(int index); ///< of comparison()->points: looked at
    void pointTaken(int index);     ///< its setting is to be the present one
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    void showState();

    std::shared_ptr<const report::AttentionComparison> m_comparison;
    AttentionFrontier* m_chart;
    QComboBox *m_error, *m_cost;
    QPushButton* m_compare;
    QLabel *m_state, *m_point;
    bool m_running = false;
};

} // namespace tamis::views
