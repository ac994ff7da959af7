// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/recall_page.h"

#include "views/common/chart_figure.h"
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/ink.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/line_chart.h"
#include "views/common/number_format.h"
#include "views/common/page_tabs.h"
#include "views/common/theme.h"
#include "views/encoder/histogram_chart.h"
#include "views/encoder/missed_latent_model.h"

#include <QHeaderView>
#include <QHBoxLayout>
#include <QSplitter>
#include <QTabWidget>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr std::size_t kMostMissed = 200;
constexpr int kRecallBins = 20;
} // namespace

RecallPage::RecallPage(QWidget* parent)
    : QWidget(parent), m_state(mutedLabel(this, QStringLiteral("recallState"))), m_upper(new PageTabs(this)), m_places(new HistogramChart(this)),
      m_tokens(new HistogramChart(this)), m_curve(new LineChart(this)), m_model(new MissedLatentModel(this)), m_table(new CopyableTableView(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    m_state->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_state->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    column->addWidget(m_state);
    auto* rows = new QSplitter(Qt::Vertical, this);
    rows->setChildrenCollapsible(false);
    rows->setHandleWidth(Theme::kSpacing);
    rows->addWidget(buildUpper());
    rows->addWidget(buildLower());
    rows->setStretchFactor(0, 1);
    rows->setStretchFactor(1, 1);
    column->addWidget(rows, 1);
    setReport(nullptr);
}

QWidget* RecallPage::framed(HistogramChart* chart, const QString& title, const QString& name)
{
    auto* side = new QWidget(this);
    auto* column = new QVBoxLayout(side);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    auto* row = new QHBoxLayout;
    auto* label = new QLabel(title, side);
    auto* exports = new ExportButton(side);
    exports->copyFrom(*chart);
    row->addWidget(label, 1);
    row->addWidget(exports);
    column->addLayout(row);
    column->addWidget(chart, 1);
    connect(exports, &ExportButton::exportRequested, this, [this, chart, name](FigureFormat format) { emit exportRequested(chart, format, name); });
    return side;
}

QWidget* RecallPage::buildUpper()
{
    m_upper->setObjectName(QStringLiteral("recallCharts"));
    m_upper->setDocumentMode(true);
    m_places->setObjectName(QStringLiteral("coarsePlaces"));
    m_places->setAccessibleName(tr("Places of the exact sets' latents in the coarse order"));
    m_places->setAxes({tr("Place in the coarse order"), tr("Latents of the exact sets"), true, true, false});
    m_curve->setObjectName(QStringLiteral("recallCurve"));
    m_curve->setAccessibleName(tr("Recall against the cut"));
    m_curve->setAxes({.xTitle = tr("Candidates that are re-ranked"), .yTitle = tr("Recall"), .rightTitle = {}, .logX = true, .logY = false, .wholeX = true});
    m_curve->setEmptyText(tr("This encoder has no coarse order that a cut could take the first of."));
    m_upper->addTab(framed(m_places, tr("Where the latents of the exact sets stand; drag the cut"), QStringLiteral("coarse-places")), tr("Places"));
    m_upper->addTab(m_curve, tr("Recall against the cut"));
    connect(m_places, &HistogramChart::cutMoved, this, &RecallPage::cutMoved);
    connect(m_curve, &LineChart::cursorMoved, this, [this](double x, bool finished) { emit cutMoved(std::max<qlonglong>(std::llround(x), 1), finished); });
    onChartExport(m_curve, this, [this](Figure& figure, FigureFormat format) { emit exportRequested(&figure, format, QStringLiteral("recall-curve")); });
    return m_upper;
}

QWidget* RecallPage::buildLower()
{
    auto* columns = new QSplitter(Qt::Horizontal, this);
    columns->setChildrenCollapsible(false);
    columns->setHandleWidth(Theme::kSpacing);
    m_tokens->setObjectName(QStringLiteral("tokenRecalls"));
    m_tokens->setAccessibleName(tr("Recall by token"));
    m_tokens->setAxes({tr("Recall of a token"), tr("Tokens"), false, false, true});
    m_table->setObjectName(QStringLiteral("missedLatents"));
    m_table->setAccessibleName(tr("Latents that are missed most"));
    m_table->setSourceModel(m_model);
    m_table->setEmptyMessage(tr("No latent is missed."));
    m_table->sortByColumn(-1, Qt::AscendingOrder);
    auto* bars = new InlineBarDelegate(m_table);
    const int digit = m_table->fontMetrics().horizontalAdvance(QLatin1Char('0'));
    constexpr int widths[MissedLatentModel::kColumnCount] = {9, 11, 11, 17};
    for (int at = 0; at < MissedLatentModel::kColumnCount; ++at) {
        m_table->setColumnWidth(at, std::max(widths[at] * digit + Theme::kSpacing, m_table->horizontalHeader()->sectionSizeHint(at)));
        if (at != MissedLatentModel::LatentColumn)
            m_table->setItemDelegateForColumn(at, bars);
    }
    m_table->horizontalHeader()->setStretchLastSection(true);
    connect(m_table, &CopyableTableView::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_table, format, QStringLiteral("missed-latents")); });
    columns->addWidget(framed(m_tokens, tr("Recall by token"), QStringLiteral("token-recall")));
    columns->addWidget(m_table);
    columns->setStretchFactor(0, 3);
    columns->setStretchFactor(1, 2);
    return columns;
}

void RecallPage::setReport(std::shared_ptr<const report::EncoderReport> report)
{
    m_report = std::move(report);
    const bool coarse = m_report && report::hasCoarseRanks(*m_report);
    m_places->setHistogram(coarse ? report::coarsePlaces(*m_report) : report::Histogram());
    m_places->setEmptyText(m_report ? tr("This encoder has no coarse order: it says only what it found.") : tr("Nothing measured yet."));
    std::vector<report::Series> curves;
    if (coarse) {
        curves.push_back(report::recallCurve(*m_report));
        curves.back().name = tr("recall").toStdString();
    }
    m_curve->setSeries(curves);
    showCut();
}

void RecallPage::setCut(std::int64_t cut, bool ofMethod)
{
    m_cut = std::max<std::int64_t>(cut, 1);
    m_ofMethod = ofMethod;
    showCut();
}

void RecallPage::showCut()
{
    const bool coarse = m_report && report::hasCoarseRanks(*m_report);
    m_recall = !m_report ? report::RecallAtCut() : coarse ? report::recallAtCut(*m_report, m_cut) : report::recallOf(*m_report);
    const QString label = tr("K coarse = %1: recall %2").arg(m_cut).arg(formatPercent(m_recall.mean, m_recall.mean > 0.99 ? 2 : 1));
    m_places->setCut(coarse ? std::optional<std::int64_t>(m_cut) : std::nullopt, label);
    m_curve->setCursor(coarse ? std::optional<double>(static_cast<double>(m_cut)) : std::nullopt, label);
    m_tokens->setHistogram(m_recall.tokens.empty() ? report::Histogram() : report::histogramOf(m_recall.tokens, 0, 1, kRecallBins));
    m_model->setMissed(!m_report ? std::vector<report::MissedLatent>() : coarse ? report::missedAtCut(*m_report, m_cut, kMostMissed) : m_report->missed);
    m_state->setText(sentence());
    m_state->setToolTip(m_state->text());
}

QString RecallPage::sentence() const
{
    if (!m_report)
        return {};
    if (m_recall.tokens.empty())
        return tr("No token has a positive latent: there is no recall.");
    QStringList parts;
    if (report::hasCoarseRanks(*m_report))
        parts << tr("%1 candidates re-ranked").arg(m_cut);
    parts << tr("recall %1").arg(formatPercent(m_recall.mean, 2))
          << tr("p5 %1, p1 %2, least %3").arg(formatPercent(m_recall.p5), formatPercent(m_recall.p1), formatPercent(m_recall.min))
          << tr("%1 of %2 sets whole").arg(m_recall.complete).arg(m_recall.tokens.size());
    if (report::hasCoarseRanks(*m_report) && !m_ofMethod) {
        const double macs = m_report->cost.macs + static_cast<double>(m_cut) * static_cast<double>(m_report->width);
        parts << tr("%1 MACs with the re-ranking, exact %2").arg(formatCount(macs), formatCount(m_report->exactCost.macs));
    }
    return parts.join(QStringLiteral(" · "));
}

void RecallPage::setCaption(const QString& settings)
{
    m_places->setCaption(settings);
    m_tokens->setCaption(settings);
    m_curve->setCaption(settings);
    m_table->setCaption(settings);
}

void RecallPage::setStale(bool stale) { m_curve->setStale(stale); }

} // namespace tamis::views
