// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/model/activation_statistics_view.h"

#include "views/common/chart_figure.h"
#include "views/common/copyable_table_view.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"
#include "views/model/activation_statistics_model.h"
#include "views/model/feature_strip.h"
#include "views/model/layer_measure.h"

#include <QComboBox>
#include <QGridLayout>
#include <QSplitter>
#include <QStackedWidget>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>
#include <map>

namespace tamis::views {
namespace {
using Model = ActivationStatisticsModel;
constexpr std::size_t kMostCurves = 10; ///< colours that can be told apart

/// "blocks.3.attn.qkv" -> "attn.qkv"; sites of one kind make one curve.
QString kindOf(const report::ActivationStatistics& site)
{
    report::LayerCost named;
    named.name = site.name;
    named.block = site.block;
    return shortLayerName(named);
}
} // namespace

ActivationStatisticsView::ActivationStatisticsView(QWidget* parent)
    : QWidget(parent), m_model(new Model(this)), m_table(new CopyableTableView(this)), m_chart(new LineChart(this)),
      m_strip(new FeatureStrip(this)), m_measure(new QComboBox(this)), m_pages(new QStackedWidget(this))
{
    build();
    connectParts();
}

void ActivationStatisticsView::build()
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->addWidget(m_pages);
    auto* empty = new PlaceholderPanel(QStringLiteral("calibration"), tr("No statistics yet"),
                                       tr("Capture runs photos or text through the model and keeps what enters every linear operator: its "
                                          "size, its outliers and its second moment."), m_pages);
    empty->setObjectName(QStringLiteral("activationsEmpty"));
    empty->setAction(tr("Capture…"));
    connect(empty, &PlaceholderPanel::actionTriggered, this, &ActivationStatisticsView::captureRequested);
    m_pages->addWidget(empty);

    auto* sides = new QSplitter(Qt::Horizontal, m_pages);
    sides->setChildrenCollapsible(false);
    sides->setHandleWidth(Theme::kSpacing);
    m_table->setObjectName(QStringLiteral("activationTable"));
    m_table->setAccessibleName(tr("Activation statistics"));
    m_table->setSourceModel(m_model);
    auto* bars = new InlineBarDelegate(m_table);
    const int digit = m_table->fontMetrics().horizontalAdvance(QLatin1Char('0'));
    constexpr int widths[Model::kColumnCount] = {6, 22, 8, 8, 8, 9, 9, 9, 9, 9};
    for (int i = 0; i < Model::kColumnCount; ++i) {
        m_table->setColumnWidth(i, widths[i] * digit + 2 * Theme::kSpacing);
        if (i > Model::NameColumn)
            m_table->setItemDelegateForColumn(i, bars);
    }
    sides->addWidget(m_table);

    auto* curves = new QWidget(sides);
    auto* overlay = new QGridLayout(curves); // the choice stands in the chart's empty corner
    overlay->setContentsMargins(0, 0, 0, 0);
    m_measure->setObjectName(QStringLiteral("activationMeasure"));
    m_measure->setAccessibleName(tr("Curve over the depth"));
    m_measure->addItem(tr("RMS over depth"), Model::RmsColumn);
    m_measure->addItem(tr("Maximum over depth"), Model::MaximumColumn);
    m_measure->addItem(tr("Kurtosis over depth"), Model::KurtosisColumn);
    m_measure->addItem(tr("Outliers over depth"), Model::OutliersColumn);
    m_measure->addItem(tr("Effective rank over depth"), Model::EffectiveRankColumn);
    m_measure->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    m_chart->setObjectName(QStringLiteral("activationChart"));
    m_chart->setAccessibleName(tr("Activation statistics over the depth"));
    m_chart->setEmptyText(tr("No site of this kind stands in a block."));
    m_chart->setMinimumSize(280, 130);
    overlay->addWidget(m_chart, 0, 0);
    overlay->addWidget(m_measure, 0, 0, Qt::AlignTop | Qt::AlignLeft);
    m_measure->raise();
    sides->addWidget(curves);
    sides->addWidget(m_strip);
    sides->setSizes({400, 320, 320});
    m_pages->addWidget(sides);
}

void ActivationStatisticsView::connectParts()
{
    connect(m_measure, &QComboBox::currentIndexChanged, this, &ActivationStatisticsView::showCurves);
    connect(m_table->selectionModel(), &QItemSelectionModel::selectionChanged, this, [this] {
        if (m_quiet)
            return;
        showFeatures();
        emit selectionChanged(selection());
    });
    connect(m_table, &CopyableTableView::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_table, format, QStringLiteral("activations")); });
    onChartExport(m_chart, this, [this](Figure& figure, FigureFormat format) { emit exportRequested(&figure, format, QStringLiteral("activations-over-depth")); });
}

bool ActivationStatisticsView::isEmpty() const { return m_model->rowCount() == 0; }

void ActivationStatisticsView::setStatistics(std::vector<report::ActivationStatistics> statistics, const QString& inputs)
{
    const QStringList before = selection();
    m_quiet = true;
    m_model->setStatistics(std::move(statistics));
    m_quiet = false;
    m_table->setCaption(inputs);
    m_chart->setCaption(inputs);
    m_pages->setCurrentIndex(isEmpty() ? 0 : 1);
    setSelection(before);
    if (selection().isEmpty() && !isEmpty()) // a first site to look at: the one with the heaviest tail
        setSelection({QString::fromStdString(std::max_element(m_model->statistics().begin(), m_model->statistics().end(), [](const auto& a, const auto& b) {
                                                 return a.kurtosis < b.kurtosis;
                                             })->name)});
    showCurves();
    showFeatures();
}

QStringList ActivationStatisticsView::selection() const
{
    QList<int> rows;
    for (const QModelIndex& index : m_table->selectionModel()->selectedRows(Model::NameColumn))
        rows.append(m_table->toSource(index).row());
    std::sort(rows.begin(), rows.end());
    QStringList names;
    for (const int row : rows)
        names << QString::fromStdString(m_model->statistics()[static_cast<std::size_t>(row)].name);
    return names;
}

void ActivationStatisticsView::setSelection(const QStringList& names)
{
    QItemSelection chosen;
    QModelIndex first;
    for (const auto& name : names)
        if (const int row = m_model->rowOf(name); row >= 0) {
            const QModelIndex at = m_table->fromSource(m_model->index(row, Model::NameColumn));
            chosen.select(at, at);
            if (!first.isValid())
                first = at.siblingAtColumn(Model::BlockColumn); // the table does not scroll aside
        }
    if (!first.isValid())
        return; // norms and attentions have no site: the last one stays on show
    m_quiet = true;
    m_table->selectionModel()->select(chosen, QItemSelectionModel::ClearAndSelect | QItemSelectionModel::Rows);
    m_table->selectionModel()->setCurrentIndex(first, QItemSelectionModel::NoUpdate);
    m_table->scrollTo(first);
    m_quiet = false;
    showFeatures();
}

QString ActivationStatisticsView::current() const { return m_shown; }

void ActivationStatisticsView::showFeatures()
{
    const QStringList names = selection();
    const int row = names.isEmpty() ? -1 : m_model->rowOf(names.first());
    m_shown = row < 0 ? QString() : names.first();
    if (row < 0) {
        m_strip->setFeatures({}, {});
        m_chart->setCursor({});
        return;
    }
    const auto& site = m_model->statistics()[static_cast<std::size_t>(row)];
    m_strip->setFeatures(m_shown, site.featureRms);
    if (site.block >= 0)
        m_chart->setCursor(site.block, tr("block %1").arg(site.block));
    else
        m_chart->setCursor({});
}

void ActivationStatisticsView::showCurves()
{
    const int column = m_measure->currentData().toInt();
    std::vector<report::Series> series;
    std::map<QString, std::size_t> byKind;
    for (const auto& site : m_model->statistics()) {
        const double value = Model::value(site, column);
        if (site.block < 0 || !std::isfinite(value))
            continue;
        const QString kind = kindOf(site);
        if (!byKind.count(kind)) {
            if (series.size() >= kMostCurves)
                continue;
            byKind[kind] = series.size();
            series.push_back({.name = kind.toStdString()});
        }
        series[byKind[kind]].points.push_back({static_cast<double>(site.block), value});
    }
    const bool tails = column == Model::MaximumColumn || column == Model::KurtosisColumn;
    m_chart->setAxes({.xTitle = tr("block"), .yTitle = m_measure->currentText().section(QStringLiteral(" over "), 0, 0), .logY = tails});
    m_chart->setSeries(series);
    showFeatures();
}

} // namespace tamis::views
