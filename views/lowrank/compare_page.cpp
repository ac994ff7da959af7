// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/compare_page.h"

#include "views/common/labelled_combo.h"
#include "views/common/chart_figure.h"
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/common/number_format.h"
#include "views/common/page_tabs.h"
#include "views/common/theme.h"
#include "views/lowrank/comparison_table_model.h"
#include "views/lowrank/result_layout.h"
#include "views/lowrank/trade_off_chart.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QStackedWidget>
#include <QTabWidget>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>
#include <map>

namespace tamis::views {
namespace {
constexpr std::size_t kMostDepthCurves = 8; ///< more cannot be told apart
} // namespace

ComparePage::ComparePage(QWidget* parent)
    : QWidget(parent), m_model(new ComparisonTableModel(this)), m_table(new CopyableTableView(this)), m_tradeOff(new TradeOffChart(this)),
      m_curves(new LineChart(this)), m_depth(new LineChart(this)), m_charts(new PageTabs(this)), m_pages(new QStackedWidget(this))
{
    m_empty = new PlaceholderPanel(QStringLiteral("compare"), tr("Nothing compared yet"),
                                   tr("Check methods and keeps beside this, choose held-out samples, then compare: every method with the same calibration, the same held-out "
                                      "samples and the same budget, beside 8-bit and 4-bit rounding."),
                                   m_pages);
    m_empty->setObjectName(QStringLiteral("compareEmpty"));
    m_empty->setAction(tr("Compare"));
    connect(m_empty, &PlaceholderPanel::actionTriggered, this, &ComparePage::compareRequested);
    buildTable();
    m_layout->addCharts(buildCharts(), 2, 3, {200, 300});
    setComparison(nullptr);
}

void ComparePage::buildTable()
{
    m_table->setObjectName(QStringLiteral("comparisonTable"));
    m_table->setAccessibleName(tr("Configurations compared"));
    m_table->setSourceModel(m_model);
    m_table->setEmptyMessage(tr("The dense model comes first; rows appear as they finish."));
    m_layout = new ResultLayout(this, {m_pages, m_empty, m_table, QStringLiteral("compareState"), QStringLiteral("compareStale")});
    m_layout->stale()->setToolTip(tr("Methods, keeps or samples have changed since: compare again."));
    const int digit = m_table->fontMetrics().horizontalAdvance(QLatin1Char('0'));
    for (int at = 0; at < ComparisonTableModel::kColumnCount; ++at) {
        const bool text = at == ComparisonTableModel::MethodColumn || at == ComparisonTableModel::SettingsColumn;
        const int digits = at == ComparisonTableModel::MethodColumn ? 27 : at == ComparisonTableModel::SettingsColumn ? 46 : at == ComparisonTableModel::KeepColumn ? 8 : 10;
        m_layout->setColumn(at, digits * digit, !text);
    }
    connect(m_layout, &ResultLayout::rowsSelected, this, [this](const QList<int>& chosen) { select(chosen, m_table); });
    connect(m_table, &CopyableTableView::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_table, format, QStringLiteral("comparison")); });
}

QWidget* ComparePage::buildCharts()
{
    auto* side = new QWidget(this);
    auto* column = new QVBoxLayout(side);
    column->setContentsMargins(0, 0, 0, 0);
    auto* bar = new QWidget(side);
    auto* row = new QHBoxLayout(bar);
    row->setContentsMargins(0, 0, 0, 0);
    m_measure = labelledCombo(bar, row, tr("&Quality"), QStringLiteral("compareMeasure"), tr("What configurations are judged by in the charts"));
    m_unit = labelledCombo(bar, row, tr("&Cost"), QStringLiteral("compareUnit"), tr("What the trade-off is drawn against"));
    for (const CostUnit unit : {CostUnit::Parameters, CostUnit::Bytes, CostUnit::Macs, CostUnit::Latency})
        m_unit->addItem(costUnitTitle(unit), static_cast<int>(unit));
    row->addStretch(1);
    auto* exports = new ExportButton(bar);
    exports->setObjectName(QStringLiteral("exportTradeOff"));
    row->addWidget(exports);
    column->addWidget(bar);
    m_charts->setObjectName(QStringLiteral("compareCharts"));
    m_charts->setDocumentMode(true);
    m_charts->addTab(m_tradeOff, tr("Cost against quality"));
    m_charts->addTab(m_curves, tr("Quality against keep"));
    m_charts->addTab(m_depth, tr("Error over the depth"));
    column->addWidget(m_charts, 1);
    m_curves->setObjectName(QStringLiteral("qualityCurves"));
    m_curves->setAccessibleName(tr("Quality of each method against keep"));
    m_curves->setEmptyText(tr("A curve needs a method at two keeps or more: \"Quality curves\" takes 0.9 to 0.3."));
    m_depth->setObjectName(QStringLiteral("depthErrors"));
    m_depth->setAccessibleName(tr("Error of the selected configurations over the depth"));
    connect(exports, &ExportButton::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_tradeOff, format, QStringLiteral("trade-off")); });
    exports->copyFrom(*m_tradeOff);
    connect(m_charts, &QTabWidget::currentChanged, this, [this, exports] {
        exports->setVisible(m_charts->currentWidget() == m_tradeOff); // the others have their own
        m_unit->setEnabled(m_charts->currentWidget() == m_tradeOff);
        m_measure->setEnabled(m_charts->currentWidget() != m_depth);
    });
    connect(m_unit, &QComboBox::currentIndexChanged, this, [this] { m_tradeOff->setUnit(static_cast<CostUnit>(m_unit->currentData().toInt())); });
    connect(m_measure, &QComboBox::currentIndexChanged, this, [this] {
        m_tradeOff->setMeasure(measure());
        showCurves();
    });
    connect(m_tradeOff, &TradeOffChart::rowsSelected, this, [this](const QList<int>& rows) { select(rows, m_tradeOff); });
    connect(m_curves, &LineChart::cursorMoved, this, [this](double keep, bool finished) {
        if (!finished || !m_comparison || m_selected.isEmpty())
            return;
        const auto& rows = m_comparison->rows; // the same method at the keep beside the cursor
        const std::string label = rows[static_cast<std::size_t>(m_selected.first())].label;
        int best = -1;
        for (int at = 0; at < static_cast<int>(rows.size()); ++at)
            if (const auto& of = rows[static_cast<std::size_t>(at)];
                of.label == label && (best < 0 || std::abs(of.keep - keep) < std::abs(rows[static_cast<std::size_t>(best)].keep - keep)))
                best = at;
        select({best}, m_curves);
    });
    connectChart(m_curves, QStringLiteral("quality-curves"));
    connectChart(m_depth, QStringLiteral("error-over-depth"));
    return side;
}

void ComparePage::connectChart(LineChart* chart, const QString& name)
{
    onChartExport(chart, this, [this, name](Figure& figure, FigureFormat format) { emit exportRequested(&figure, format, name); });
}

ComparisonMeasure ComparePage::measure() const
{
    return m_measure->currentIndex() < 0 ? ComparisonMeasure::HeldOutLoss : static_cast<ComparisonMeasure>(m_measure->currentData().toInt());
}

void ComparePage::setComparison(std::shared_ptr<const report::MethodComparison> comparison)
{
    const bool grew = m_comparison && comparison && comparison->rows.size() >= m_comparison->rows.size();
    m_comparison = std::move(comparison);
    {
        const auto quiet = m_layout->quiet();
        m_model->setComparison(m_comparison);
    }
    const QString caption = m_comparison ? comparisonCaption(*m_comparison) : QString();
    m_table->setCaption(caption);
    m_curves->setCaption(caption);
    m_depth->setCaption(caption);
    showColumns();
    showMeasures();
    m_tradeOff->setComparison(m_comparison);
    QList<int> kept;
    for (const int row : m_selected)
        if (grew && m_comparison && row < static_cast<int>(m_comparison->rows.size()))
            kept << row;
    select(kept, nullptr);
    showCurves();
    showState();
}

void ComparePage::setRunning(bool running)
{
    m_running = running;
    m_tradeOff->setEmptyText(running ? tr("Configurations appear here as they finish.") : tr("No configuration has both this cost and this quality."));
    showState();
}

void ComparePage::setStale(bool stale) { m_layout->stale()->setVisible(stale && m_comparison && !m_running); }

void ComparePage::showState()
{
    m_layout->showResult(m_comparison || m_running);
    if (!m_comparison) {
        m_layout->state()->setText(m_running ? tr("Evaluating the dense model") : QString());
        return;
    }
    const auto done = m_comparison->rows.size();
    QString text = m_running             ? tr("%1 of %2 configurations").arg(done).arg(m_comparison->planned)
                   : done < m_comparison->planned ? tr("%1 of %2 configurations, stopped").arg(done).arg(m_comparison->planned)
                                                  : tr("%1 configurations").arg(done);
    if (m_comparison->seconds > 0)
        text += tr(" in %1").arg(formatDuration(m_comparison->seconds));
    m_layout->state()->setText(text + QStringLiteral(" · ") + comparisonCaption(*m_comparison));
    m_layout->state()->setToolTip(m_layout->state()->text());
}

void ComparePage::showColumns()
{
    for (int at = 0; at < ComparisonTableModel::kColumnCount; ++at)
        m_table->setColumnHidden(at, m_comparison && !m_model->hasValues(at));
}

void ComparePage::showMeasures()
{
    const auto present = m_comparison ? presentMeasures(*m_comparison) : std::vector<ComparisonMeasure>();
    QList<int> wanted, have;
    for (const auto one : present)
        wanted << static_cast<int>(one);
    for (int at = 0; at < m_measure->count(); ++at)
        have << m_measure->itemData(at).toInt();
    if (wanted == have)
        return;
    const int before = m_measure->currentIndex() < 0 || have.size() <= 2 ? -1 : m_measure->currentData().toInt();
    const QSignalBlocker quiet(m_measure);
    m_measure->clear();
    for (const auto one : present) {
        m_measure->addItem(measureTitle(one), static_cast<int>(one));
        m_measure->setItemData(m_measure->count() - 1, measureHelp(one), Qt::ToolTipRole);
    }
    m_measure->setCurrentIndex(std::max(0, m_measure->findData(before)));
    m_tradeOff->setMeasure(measure());
}

void ComparePage::selectRows(const QList<int>& rows) { select(rows, nullptr); }

void ComparePage::select(const QList<int>& rows, QObject* by)
{
    m_selected = rows;
    if (by != m_tradeOff)
        m_tradeOff->setSelectedRows(rows);
    if (by != m_table)
        m_layout->select(rows, by);
    const auto* first = rows.isEmpty() ? nullptr : m_model->row(rows.first());
    if (first && !first->baseline)
        m_curves->setCursor(first->keep, rowTitle(*first));
    else
        m_curves->setCursor({});
    showDepth();
    if (by)
        emit rowsSelected(rows);
}

void ComparePage::showCurves()
{
    std::vector<report::Series> series;
    const ComparisonMeasure by = measure();
    bool positive = true;
    double low = INFINITY, high = 0, least = 1, most = 0;
    if (m_comparison) {
        const auto colors = colorsOf(*m_comparison);
        std::map<int, report::Series> curves; ///< by colour, as in the other charts
        for (std::size_t at = 0; at < m_comparison->rows.size(); ++at) {
            const auto& row = m_comparison->rows[at];
            const double value = measured(row, by).mean;
            if (row.baseline || !std::isfinite(value))
                continue;
            auto& curve = curves[colors[at]];
            curve.name = row.label;
            curve.points.push_back({row.keep, value});
            positive = positive && value > 0;
            low = std::min(low, value);
            high = std::max(high, value);
            least = std::min(least, row.keep);
            most = std::max(most, row.keep);
        }
        bool any = false;
        for (auto& [color, curve] : curves) {
            std::sort(curve.points.begin(), curve.points.end(), [](const auto& a, const auto& b) { return a.x < b.x; });
            any = any || curve.points.size() > 1;
            curve.group = color;
            series.push_back(std::move(curve));
        }
        if (!any)
            series.clear();
        for (const auto& row : m_comparison->rows) // a line across: what the alternatives give at any keep
            if (const double value = measured(row, by).mean; any && row.baseline && std::isfinite(value) && (value > 0 || !lowerIsBetter(by)))
                series.push_back({.name = row.label, .points = {{least, value}, {most, value}}, .baseline = true});
    }
    m_curves->setAxes({.xTitle = tr("keep"), .yTitle = measureTitle(by), .logY = lowerIsBetter(by) && positive && high > 20 * low, .wholeX = false});
    m_curves->setSeries(series);
}

void ComparePage::showDepth()
{
    std::vector<report::Series> series;
    for (const int at : m_selected) {
        const auto* row = m_model->row(at);
        if (!row || row->layers.empty() || series.size() == kMostDepthCurves)
            continue;
        report::Series curve{.name = rowTitle(*row).toStdString()};
        for (const auto& layer : row->layers)
            curve.points.push_back({static_cast<double>(layer.block), layer.relativeError});
        series.push_back(std::move(curve));
    }
    m_depth->setEmptyText(m_selected.isEmpty() ? tr("Select configurations in the table to see how their error grows from block to block.")
                                               : tr("The selected configurations have no errors by depth."));
    m_depth->setAxes({.xTitle = tr("block"), .yTitle = tr("relative error")});
    m_depth->setSeries(series);
}

} // namespace tamis::views
