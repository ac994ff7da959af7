// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/run_page.h"

#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/notice_bar.h"
#include "views/common/number_format.h"
#include "views/common/page_tabs.h"
#include "views/common/theme.h"
#include "views/lowrank/comparison_measure.h"
#include "views/lowrank/figure_view.h"
#include "views/lowrank/matrix_table_model.h"
#include "views/lowrank/result_layout.h"
#include "views/lowrank/ridge_meter.h"

#include <QLabel>
#include <QPlainTextEdit>
#include <QStackedWidget>
#include <QTabWidget>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
QString text(const std::string& s) { return QString::fromStdString(s); }
} // namespace

RunPage::RunPage(QWidget* parent)
    : QWidget(parent), m_model(new MatrixTableModel(this)), m_table(new CopyableTableView(this)), m_figures(new FigureView(this)), m_planes(new FigureView(this)),
      m_ridge(new RidgeMeter(this)), m_notices(new QPlainTextEdit(this)), m_charts(new PageTabs(this)), m_pages(new QStackedWidget(this))
{
    m_empty = new PlaceholderPanel(QStringLiteral("spectrum"), tr("Nothing run yet"), QString(), m_pages);
    m_empty->setObjectName(QStringLiteral("runEmpty"));
    connect(m_empty, &PlaceholderPanel::actionTriggered, this, &RunPage::runRequested);
    buildTable();
    m_layout->addCharts(buildCharts(), 1, 1, {250, 260});
    setReport(nullptr);
}

void RunPage::buildTable()
{
    m_table->setObjectName(QStringLiteral("lowRankMatrices"));
    m_table->setAccessibleName(tr("What each matrix became"));
    m_table->setSourceModel(m_model);
    m_layout = new ResultLayout(this, {m_pages, m_empty, m_table, QStringLiteral("runSummary"), QStringLiteral("runStale")});
    const int digit = m_table->fontMetrics().horizontalAdvance(QLatin1Char('0'));
    constexpr int widths[MatrixTableModel::kColumnCount] = {6, 24, 8, 12, 15, 8, 9, 10, 10, 11, 10, 18, 40}; // in digits
    for (int at = 0; at < MatrixTableModel::kColumnCount; ++at)
        m_layout->setColumn(at, widths[at] * digit + Theme::kSpacing, at >= MatrixTableModel::RankColumn && at <= MatrixTableModel::CoefficientColumn);
    connect(m_layout, &ResultLayout::rowsSelected, this, [this](const QList<int>& chosen) {
        m_selection.clear();
        for (const int at : chosen)
            m_selection << text(m_model->matrix(at)->name);
        emit selectionChanged(m_selection);
    });
    connect(m_table, &CopyableTableView::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_table, format, QStringLiteral("low-rank-matrices")); });
}

QWidget* RunPage::buildCharts()
{
    m_charts->setObjectName(QStringLiteral("runCharts"));
    m_charts->setDocumentMode(true);
    m_figures->setObjectName(QStringLiteral("runFigures"));
    m_planes->setObjectName(QStringLiteral("runPlanes"));
    m_figures->setEmptyText(tr("This method drew no chart of its own."));
    m_planes->setEmptyText(tr("Only joint methods have planes that several matrices share."));
    m_ridge->setEmptyText(tr("Select a matrix that the calibration set covers; the method must have a ridge."));
    m_notices->setObjectName(QStringLiteral("runNotices"));
    m_notices->setAccessibleName(tr("Notices of the method"));
    m_notices->setReadOnly(true);
    m_notices->setPlaceholderText(tr("The method had nothing to remark."));
    m_charts->addTab(m_ridge, tr("Ridge and conditioning"));
    m_charts->addTab(m_figures, tr("Charts of the method"));
    m_charts->addTab(m_planes, tr("Planes"));
    m_charts->addTab(m_notices, tr("Notices"));
    for (FigureView* view : {m_figures, m_planes})
        connect(view, &FigureView::exportRequested, this, &RunPage::exportRequested);
    connect(m_ridge, &RidgeMeter::exportRequested, this, &RunPage::exportRequested);
    return m_charts;
}

QString RunPage::caption() const
{
    if (!m_report)
        return {};
    QString line = text(m_report->method);
    for (const auto& [name, value] : m_report->parameters.all())
        line += QStringLiteral(", ") + text(name) + QLatin1Char(' ') + text(toText(value));
    return line + tr(", keep %1, %2, %3").arg(formatPercent(m_report->keep), text(m_report->allocation), text(m_report->accounting));
}

void RunPage::setReport(std::shared_ptr<const report::LowRankReport> report)
{
    m_report = std::move(report);
    {
        const auto quiet = m_layout->quiet();
        m_model->setReport(m_report);
    }
    m_layout->showResult(m_report != nullptr);
    m_table->setCaption(caption());
    showColumns();
    setSelection(m_selection);
    m_figures->setFigures(m_report ? m_report->figures : std::vector<report::MethodFigure>(), caption());
    m_planes->setFigures(m_report ? planeFigures(*m_report) : std::vector<report::MethodFigure>(), caption());
    showSummary();
    showNotices();
}

void RunPage::showColumns()
{
    for (int at = 0; at < MatrixTableModel::kColumnCount; ++at)
        m_table->setColumnHidden(at, m_report && !m_report->matrices.empty() && !m_model->hasValues(at));
}

void RunPage::showSummary()
{
    if (!m_report) {
        m_layout->state()->clear();
        return;
    }
    QStringList parts{tr("keep %1, achieved %2").arg(formatPercent(m_report->keep), formatPercent(m_report->achievedKeep))};
    if (std::isfinite(m_report->relativeLoss()))
        parts << tr("mean relative loss %1").arg(formatLoss(m_report->relativeLoss()));
    if (std::isfinite(m_report->heldOutRelativeLoss()))
        parts << tr("held-out %1").arg(formatLoss(m_report->heldOutRelativeLoss()));
    if (m_report->baselineCost.parameters > 0)
        parts << tr("%1 of %2 parameters, %3 of %4, %5 of %6 MACs a token")
                     .arg(formatCount(static_cast<double>(m_report->cost.parameters)), formatCount(static_cast<double>(m_report->baselineCost.parameters)),
                          formatBytes(static_cast<double>(m_report->cost.bytes)), formatBytes(static_cast<double>(m_report->baselineCost.bytes)),
                          formatCount(static_cast<double>(m_report->cost.macs)), formatCount(static_cast<double>(m_report->baselineCost.macs)));
    parts << tr("in %1").arg(formatDuration(m_report->seconds));
    m_layout->state()->setText(parts.join(QStringLiteral(" · ")));
    m_layout->state()->setToolTip(parts.join(QLatin1Char('\n')));
}

void RunPage::showNotices()
{
    QStringList lines;
    if (m_report) {
        for (const auto& warning : m_report->warnings)
            lines << text(warning);
        for (const auto& matrix : m_report->matrices)
            for (const auto& warning : matrix.warnings)
                lines << tr("%1: %2").arg(text(matrix.name), text(warning));
        for (const auto& [name, value] : m_report->scalars)
            lines << tr("%1: %2").arg(text(name), formatNumber(value, 5));
    }
    const QString all = lines.join(QLatin1Char('\n'));
    if (m_notices->toPlainText() != all)
        m_notices->setPlainText(all);
    const auto warnings = m_report ? m_report->warnings.size() : 0;
    m_charts->setTabText(m_charts->indexOf(m_notices), warnings == 0 ? tr("Notices") : tr("Notices (%1)").arg(warnings));
}

void RunPage::setStale(bool stale)
{
    m_layout->stale()->setVisible(stale && m_report);
    m_figures->setStale(stale && m_report);
    m_planes->setStale(stale && m_report);
}

void RunPage::setEmptyState(const QString& title, const QString& words, const QString& action)
{
    m_empty->setTitle(title);
    m_empty->setText(words);
    m_empty->setAction(action);
}

void RunPage::setSelection(const QStringList& names)
{
    m_selection = names;
    QList<int> rows;
    for (const QString& name : names)
        rows << m_model->rowOf(name);
    m_layout->select(rows, true);
}

} // namespace tamis::views
