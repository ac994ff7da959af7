// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/evaluation_report.h"
#include "views/common/figure.h"

#include <QWidget>

#include <memory>

class QComboBox;
class QLabel;
class QStackedWidget;

namespace tamis::views {

class CopyableTableView;
class HeatMap;
class LineChart;
class PlaceholderPanel;
class QualityTableModel;

/// What a model still does: dense against compressed with the spread over batches, how the error grows with depth, and which
/// heads' attention maps changed. Without a plan only the model's own quality, and words where the comparison would stand.
class EvaluationView : public QWidget {
    Q_OBJECT
public:
    explicit EvaluationView(QWidget* parent = nullptr);

    void setReport(std::shared_ptr<const report::EvaluationReport> report); ///< null: the empty state
    void setSelectedBlock(int block);  ///< brushed elsewhere, without a signal; -1: none
    void setStale(bool stale);         ///< the plan has changed since
    QualityTableModel* model() const { return m_model; }
    CopyableTableView* table() const { return m_table; }
    LineChart* chart() const { return m_chart; }
    HeatMap* heads() const { return m_heads; }

signals:
    void evaluateRequested();
    void blockSelected(int block, int head); ///< by the user; head -1: the whole block
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    QWidget* buildTable();
    QWidget* buildChart();
    QWidget* buildHeads();
    void showCurves();
    void showHeads();
    QString caption() const;

    std::shared_ptr<const report::EvaluationReport> m_report;
    QualityTableModel* m_model;
    CopyableTableView* m_table;
    LineChart* m_chart;
    HeatMap* m_heads;
    QComboBox* m_curve;
    QLabel *m_what, *m_warnings, *m_stale;
    QStackedWidget* m_pages;
};

} // namespace tamis::views
