// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/lowrank_report.h"
#include "views/common/figure.h"
#include "views/lowrank/comparison_measure.h"

#include <QList>
#include <QWidget>

#include <memory>

class QComboBox;
class QStackedWidget;
class QTabWidget;

namespace tamis::views {

class ComparisonTableModel;
class CopyableTableView;
class LineChart;
class PlaceholderPanel;
class ResultLayout;
class TradeOffChart;

/// A comparison: its table, cost against quality, quality against keep, error over the depth. Rows selected in one are selected
/// in all. Rows appear as they finish.
class ComparePage : public QWidget {
    Q_OBJECT
public:
    explicit ComparePage(QWidget* parent = nullptr);

    void setComparison(std::shared_ptr<const report::MethodComparison> comparison); ///< null: none yet
    const std::shared_ptr<const report::MethodComparison>& comparison() const noexcept { return m_comparison; }
    void setRunning(bool running);
    void setStale(bool stale); ///< the settings have changed since
    void selectRows(const QList<int>& rows);
    const QList<int>& selectedRows() const noexcept { return m_selected; }

    ComparisonTableModel* model() const { return m_model; }
    CopyableTableView* table() const { return m_table; }
    TradeOffChart* tradeOff() const { return m_tradeOff; }
    LineChart* curves() const { return m_curves; }
    LineChart* depth() const { return m_depth; }

signals:
    void compareRequested(); ///< from the empty state
    void rowsSelected(const QList<int>& rows);
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    void buildTable();
    QWidget* buildCharts();
    void connectChart(LineChart* chart, const QString& name);
    void select(const QList<int>& rows, QObject* by);
    void showMeasures();
    void showColumns();
    void showState();
    void showCurves();
    void showDepth();
    ComparisonMeasure measure() const;

    std::shared_ptr<const report::MethodComparison> m_comparison;
    QList<int> m_selected;
    ComparisonTableModel* m_model;
    CopyableTableView* m_table;
    TradeOffChart* m_tradeOff;
    LineChart *m_curves, *m_depth;
    QTabWidget* m_charts;
    QComboBox *m_unit, *m_measure;
    QStackedWidget* m_pages;
    PlaceholderPanel* m_empty;
    ResultLayout* m_layout;
    bool m_running = false;
};

} // namespace tamis::views
