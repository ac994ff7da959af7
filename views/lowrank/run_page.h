// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/lowrank_report.h"
#include "views/common/figure.h"

#include <QStringList>
#include <QWidget>

#include <memory>

class QPlainTextEdit;
class QStackedWidget;
class QTabWidget;

namespace tamis::views {

class CopyableTableView;
class FigureView;
class MatrixTableModel;
class PlaceholderPanel;
class ResultLayout;
class RidgeMeter;

/// What one method made of the model: matrix by matrix, its own charts, its planes, the ridge meter and its notices.
class RunPage : public QWidget {
    Q_OBJECT
public:
    explicit RunPage(QWidget* parent = nullptr);

    void setReport(std::shared_ptr<const report::LowRankReport> report); ///< null: none
    const std::shared_ptr<const report::LowRankReport>& report() const noexcept { return m_report; }
    void setStale(bool stale);   ///< what is shown is of other settings than those chosen
    void setEmptyState(const QString& title, const QString& text, const QString& action); ///< why there is no report
    void setSelection(const QStringList& names); ///< brushed elsewhere; no selectionChanged
    QStringList selection() const { return m_selection; }

    MatrixTableModel* model() const { return m_model; }
    CopyableTableView* table() const { return m_table; }
    FigureView* figures() const { return m_figures; }
    FigureView* planes() const { return m_planes; }
    RidgeMeter* ridge() const { return m_ridge; }

signals:
    void runRequested(); ///< from the empty state
    void selectionChanged(const QStringList& names);
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

private:
    void buildTable();
    QWidget* buildCharts();
    void showSummary();
    void showNotices();
    void showColumns();
    QString caption() const;

    std::shared_ptr<const report::LowRankReport> m_report;
    QStringList m_selection;
    MatrixTableModel* m_model;
    CopyableTableView* m_table;
    FigureView *m_figures, *m_planes;
    RidgeMeter* m_ridge;
    QPlainTextEdit* m_notices;
    QTabWidget* m_charts;
    QStackedWidget* m_pages;
    PlaceholderPanel* m_empty;
    ResultLayout* m_layout;
};

} // namespace tamis::views
