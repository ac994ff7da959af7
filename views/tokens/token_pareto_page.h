// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/token_report.h"
#include "views/common/figure.h"

#include <QWidget>

#include <memory>

class QComboBox;
class QLabel;
class QPushButton;

namespace tamis::views {

class TokenParetoChart;

/// Reductions compared over a folder: the chart, what it is drawn against, from which MACs on each is faster, and the button that starts it.
class TokenParetoPage : public QWidget {
    Q_OBJECT
public:
    explicit TokenParetoPage(QWidget* parent = nullptr);
    void setComparison(std::shared_ptr<const report::TokenComparison> comparison); ///< null: none
    const std::shared_ptr<const report::TokenComparison>& comparison() const noexcept { return m_comparison; }
    void setRunning(bool running);
    void setDisabledReason(const QString& reason); ///< why nothing can be compared; empty: it can
    TokenParetoChart* chart() const { return m_chart; }

signals:
    void compareRequested();
    void pointActivated(int index); ///< of comparison()->points
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    void showState();
    void showBreakEven();

    std::shared_ptr<const report::TokenComparison> m_comparison;
    TokenParetoChart* m_chart;
    QComboBox *m_quality, *m_cost;
    QPushButton* m_compare;
    QLabel *m_state, *m_even;
    bool m_running = false;
};

} // namespace tamis::views
