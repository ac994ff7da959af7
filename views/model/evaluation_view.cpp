// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/model/evaluation_view.h"

#include "views/common/chart_figure.h"
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/heat_map.h"
#include "views/common/ink.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/model/quality_table_model.h"

#include <QComboBox>
#include <QGridLayout>
#include <QHeaderView>
#include <QLabel>
#include <QSplitter>
#include <QStackedWidget>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
enum Curve { kErrors, kCosine };

QLabel* label(QWidget* parent, const QString& name, Ink ink)
{
    auto* made = inkedLabel(parent, name, ink);
    made->setWordWrap(true);
    made->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    return made;
}
} // namespace

EvaluationView::EvaluationView(QWidget* parent)
    : QWidget(parent), m_model(new QualityTableModel(this)), m_table(new CopyableTableView(this)), m_chart(new LineChart(this)),
      m_heads(new HeatMap(this)), m_curve(new QComboBox(this)), m_pages(new QStackedWidget(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->addWidget(m_pages);
    auto* empty = new PlaceholderPanel(QStringLiteral("compare"), tr("Not evaluated yet"),
                                       tr("Evaluate runs photos or tokens through the model: accuracy or perplexity where labels are known, "
                                          "and with a plan how far the compressed model is from the dense one."), m_pages);
    empty->setObjectName(QStringLiteral("evaluationEmpty"));
    empty->setAction(tr("Evaluate…"));
    connect(empty, &PlaceholderPanel::actionTriggered, this, &EvaluationView::evaluateRequested);
    m_pages->addWidget(empty);
    auto* sides = new QSplitter(Qt::Horizontal, m_pages);
    sides->setChildrenCollapsible(false);
    sides->setHandleWidth(Theme::kSpacing);
    sides->addWidget(buildTable());
    sides->addWidget(buildChart());
    sides->addWidget(buildHeads());
    sides->setSizes({400, 300, 300});
    sides->setStretchFactor(0, 2);
    sides->setStretchFactor(1, 3);
    sides->setStretchFactor(2, 3);
    m_pages->addWidget(sides);
}

QWidget* EvaluationView::buildTable()
{
    auto* side = new QWidget(this);
    auto* column = new QVBoxLayout(side);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    side->setMinimumWidth(340);
    m_what = label(side, QStringLiteral("evaluationWhat"), Ink::MutedText);
    m_stale = label(side, QStringLiteral("evaluationStale"), Ink::Stale);
    m_stale->setText(tr("The plan has changed since: evaluate again."));
    m_stale->hide();
    m_warnings = label(side, QStringLiteral("evaluationWarnings"), Ink::Warning);
    m_warnings->hide();
    m_table->setObjectName(QStringLiteral("qualityTable"));
    m_table->setAccessibleName(tr("Quality, fidelity and cost: dense against compressed"));
    m_table->setSourceModel(m_model);
    m_table->setSortingEnabled(false);
    auto* bars = new InlineBarDelegate(m_table);
    const int digit = m_table->fontMetrics().horizontalAdvance(QLatin1Char('0'));
    m_table->horizontalHeader()->setMinimumSectionSize(8 * digit);
    m_table->horizontalHeader()->setSectionResizeMode(QualityTableModel::QuantityColumn, QHeaderView::Stretch);
    for (const int i : {QualityTableModel::DenseColumn, QualityTableModel::CompressedColumn, QualityTableModel::ChangeColumn}) {
        m_table->setItemDelegateForColumn(i, bars);
        m_table->horizontalHeader()->setSectionResizeMode(i, QHeaderView::ResizeToContents);
    }
    connect(m_table, &CopyableTableView::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_table, format, QStringLiteral("quality")); });
    column->addWidget(m_what);
    column->addWidget(m_stale);
    column->addWidget(m_table, 1);
    column->addWidget(m_warnings);
    return side;
}

QWidget* EvaluationView::buildChart()
{
    auto* side = new QWidget(this);
    auto* overlay = new QGridLayout(side);
    overlay->setContentsMargins(0, 0, 0, 0);
    m_curve->setObjectName(QStringLiteral("errorCurve"));
    m_curve->setAccessibleName(tr("Curve over the depth"));
    m_curve->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    m_curve->addItem(tr("Relative error"), kErrors);
    m_curve->addItem(tr("1 − cosine"), kCosine);
    m_chart->setObjectName(QStringLiteral("errorChart"));
    m_chart->setAccessibleName(tr("Error over the depth"));
    m_chart->setMinimumSize(220, 130);
    overlay->addWidget(m_chart, 0, 0);
    overlay->addWidget(m_curve, 0, 0, Qt::AlignTop | Qt::AlignLeft);
    m_curve->raise();
    connect(m_curve, &QComboBox::currentIndexChanged, this, &EvaluationView::showCurves);
    connect(m_chart, &LineChart::cursorMoved, this, [this](double x, bool finished) {
        if (finished)
            emit blockSelected(static_cast<int>(std::lround(x)), -1);
    });
    onChartExport(m_chart, this, [this](Figure& figure, FigureFormat format) { emit exportRequested(&figure, format, QStringLiteral("error-over-depth")); });
    return side;
}

QWidget* EvaluationView::buildHeads()
{
    auto* side = new QWidget(this);
    auto* column = new QVBoxLayout(side);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* row = new QHBoxLayout;
    auto* title = new QLabel(tr("Attention maps"), side);
    auto* exports = new ExportButton(side);
    exports->setObjectName(QStringLiteral("exportHeads"));
    row->addWidget(title);
    row->addStretch(1);
    row->addWidget(exports);
    m_heads->setObjectName(QStringLiteral("headErrors"));
    m_heads->setAccessibleName(tr("Error of the attention maps, heads and blocks"));
    column->addLayout(row);
    column->addWidget(m_heads, 1);
    connect(m_heads, &HeatMap::cellSelected, this, [this](int head, int place) {
        const int block = m_heads->grid().columnLabels.value(place).toInt();
        m_chart->setCursor(block, tr("block %1").arg(block));
        emit blockSelected(block, head);
    });
    connect(exports, &ExportButton::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_heads, format, QStringLiteral("attention-map-error")); });
    exports->copyFrom(*m_heads);
    return side;
}

QString EvaluationView::caption() const
{
    if (!m_report)
        return {};
    QString text = tr("%1 on %2").arg(QString::fromStdString(m_report->model), QString::fromStdString(m_report->inputs));
    if (!m_report->plan.empty())
        text += tr(", plan: %1").arg(QString::fromStdString(m_report->plan));
    if (m_report->seconds > 0)
        text += tr(", in %1").arg(formatDuration(m_report->seconds));
    return m_report->batches > 1 ? text + tr("; mean ± standard deviation over %1 batches").arg(m_report->batches) : text;
}

void EvaluationView::setReport(std::shared_ptr<const report::EvaluationReport> report)
{
    m_report = std::move(report);
    m_model->setReport(m_report);
    m_pages->setCurrentIndex(m_report ? 1 : 0);
    m_what->setText(!m_report ? QString() : tr("%1 on %2").arg(QString::fromStdString(m_report->model), QString::fromStdString(m_report->inputs)));
    m_what->setToolTip(caption());
    m_table->setCaption(caption());
    m_chart->setCaption(caption());
    m_heads->setCaption(caption());
    m_table->setColumnHidden(QualityTableModel::CompressedColumn, !m_report || m_report->plan.empty());
    m_table->setColumnHidden(QualityTableModel::ChangeColumn, !m_report || m_report->plan.empty());
    m_stale->hide();
    QStringList warnings;
    if (m_report)
        for (const auto& warning : m_report->warnings)
            warnings << QString::fromStdString(warning);
    m_warnings->setText(warnings.join(QLatin1Char('\n')));
    m_warnings->setVisible(!warnings.isEmpty());
    showCurves();
    showHeads();
}

void EvaluationView::setStale(bool stale) { m_stale->setVisible(stale && m_report); }

void EvaluationView::showCurves()
{
    const bool compared = m_report && !m_report->plan.empty();
    m_chart->setEmptyText(compared ? tr("This evaluation measured no blocks.")
                                   : tr("No plan yet: choose ranks in the Spectrum lab, then evaluate again to see how the error grows with depth."));
    std::vector<report::Series> series;
    if (compared && !m_report->layers.empty()) {
        const bool cosine = m_curve->currentData().toInt() == kCosine;
        report::Series grown{.name = cosine ? tr("output of the block").toStdString() : tr("accumulated").toStdString()};
        report::Series own{.name = tr("of the block alone").toStdString(), .dashed = true};
        for (const auto& layer : m_report->layers) {
            grown.points.push_back({static_cast<double>(layer.block), cosine ? 1 - layer.cosine : layer.relativeError});
            if (!cosine && std::isfinite(layer.ownError))
                own.points.push_back({static_cast<double>(layer.block), layer.ownError});
        }
        series.push_back(std::move(grown));
        if (!own.points.empty())
            series.push_back(std::move(own));
    }
    m_chart->setAxes({.xTitle = tr("block"), .yTitle = m_curve->currentData().toInt() == kCosine ? tr("1 − cosine") : tr("relative error")});
    m_chart->setSeries(series);
    m_curve->setVisible(!series.empty());
}

void EvaluationView::showHeads()
{
    const bool compared = m_report && !m_report->plan.empty();
    m_heads->setEmptyText(compared ? tr("This evaluation measured no attention maps.")
                                   : tr("No plan yet: with one, every head shows how far its attention map has moved."));
    HeatGrid grid{.rowTitle = tr("head"), .columnTitle = tr("block"), .valueTitle = tr("map error")};
    if (compared && !m_report->heads.empty()) {
        std::vector<int> blocks;
        for (const auto& error : m_report->heads) {
            blocks.push_back(error.block);
            grid.rows = std::max(grid.rows, static_cast<int>(error.head) + 1);
        }
        std::sort(blocks.begin(), blocks.end());
        blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
        grid.columns = static_cast<int>(blocks.size());
        for (const int block : blocks)
            grid.columnLabels << QString::number(block);
        grid.values.assign(static_cast<std::size_t>(grid.rows) * static_cast<std::size_t>(grid.columns), report::kNotMeasured);
        for (const auto& error : m_report->heads) {
            const auto column = std::lower_bound(blocks.begin(), blocks.end(), error.block) - blocks.begin();
            grid.values[static_cast<std::size_t>(error.head * grid.columns + column)] = error.mapError;
        }
    }
    m_heads->setGrid(grid);
}

void EvaluationView::setSelectedBlock(int block)
{
    const auto column = static_cast<int>(m_heads->grid().columnLabels.indexOf(QString::number(block)));
    m_heads->setMarkedColumn(column);
    if (const auto chosen = m_heads->selected(); chosen && chosen->second != column)
        m_heads->setSelected(std::nullopt);
    if (block < 0 || m_chart->series().empty())
        m_chart->setCursor({});
    else
        m_chart->setCursor(block, tr("block %1").arg(block));
}

} // namespace tamis::views
