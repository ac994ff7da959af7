// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/certificate_page.h"

#include "core/report/encoder_recall.h"
#include "core/report/histogram.h"
#include "views/common/chart_figure.h"
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/ink.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/encoder/certificate_model.h"
#include "views/encoder/histogram_chart.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QSplitter>
#include <QStackedWidget>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr int kMarginBins = 24;
constexpr int kGroups = 24;       ///< of tokens with bounds of about the same width
constexpr int kLawPoints = 80;

report::Histogram withoutEmptyEnds(report::Histogram histogram)
{
    const auto first = std::ranges::find_if(histogram.counts, [](std::int64_t count) { return count > 0; }) - histogram.counts.begin();
    histogram.counts.erase(histogram.counts.begin(), histogram.counts.begin() + first);
    histogram.edges.erase(histogram.edges.begin(), histogram.edges.begin() + first);
    while (!histogram.counts.empty() && histogram.counts.back() == 0) {
        histogram.counts.pop_back();
        histogram.edges.pop_back();
    }
    return histogram.counts.empty() ? report::Histogram() : histogram;
}
} // namespace

CertificatePage::CertificatePage(QWidget* parent)
    : QWidget(parent), m_pages(new QStackedWidget(this)), m_state(mutedLabel(this, QStringLiteral("certificateState"))), m_candidates(new HistogramChart(this)),
      m_margins(new HistogramChart(this)), m_law(new LineChart(this)), m_model(new CertificateModel(this)), m_table(new CopyableTableView(this))
{
    auto* whole = new QVBoxLayout(this);
    whole->setContentsMargins(0, Theme::kSpacing, 0, 0);
    whole->addWidget(m_pages);
    m_empty = new PlaceholderPanel(QStringLiteral("ok"), tr("No certificate"),
                                   tr("This method does not prove its sets. The certified method bounds every score and re-ranks what the bounds leave: its sets are the exact ones."), m_pages);
    m_empty->setObjectName(QStringLiteral("certificateEmpty"));
    m_pages->addWidget(m_empty);
    auto* page = new QWidget(m_pages);
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    m_state->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    column->addWidget(m_state);
    auto* rows = new QSplitter(Qt::Vertical, page);
    rows->setChildrenCollapsible(false);
    rows->setHandleWidth(Theme::kSpacing);
    auto* upper = new QSplitter(Qt::Horizontal, rows);
    upper->setChildrenCollapsible(false);
    upper->setHandleWidth(Theme::kSpacing);
    m_candidates->setObjectName(QStringLiteral("certificateCandidates"));
    m_candidates->setAccessibleName(tr("Candidates by token"));
    m_candidates->setAxes({tr("Candidates of a token"), tr("Tokens"), true, true, false});
    m_margins->setObjectName(QStringLiteral("certificateMargins"));
    m_margins->setAccessibleName(tr("Margins by token"));
    m_margins->setAxes({tr("Margin: k-th value less the largest bound outside"), tr("Tokens"), false, false, false});
    upper->addWidget(framed(m_candidates, tr("What the bounds leave to score exactly"), QStringLiteral("candidates")));
    upper->addWidget(framed(m_margins, tr("By how much each set is proven"), QStringLiteral("margins")));
    rows->addWidget(buildLower());
    rows->setStretchFactor(0, 2);
    rows->setStretchFactor(1, 3);
    column->addWidget(rows, 1);
    m_pages->addWidget(page);
}

QWidget* CertificatePage::buildLower()
{
    auto* lower = new QSplitter(Qt::Horizontal, this);
    lower->setChildrenCollapsible(false);
    lower->setHandleWidth(Theme::kSpacing);
    m_law->setObjectName(QStringLiteral("certificateLaw"));
    m_law->setAccessibleName(tr("Candidates against the width of the bounds"));
    m_law->setAxes({.xTitle = tr("Width of the bounds over the spread of the scores, ε √D"), .yTitle = tr("Candidates"), .rightTitle = {}, .logX = false, .logY = true, .wholeX = false});
    onChartExport(m_law, this, [this](Figure& figure, FigureFormat format) { emit exportRequested(&figure, format, QStringLiteral("survivor-law")); });
    m_table->setObjectName(QStringLiteral("certificateTokens"));
    m_table->setAccessibleName(tr("Certificates by token"));
    m_table->setToolTip(tr("Enter or a double click shows the token closely"));
    m_table->setSourceModel(m_model);
    m_table->sortByColumn(-1, Qt::AscendingOrder);
    const int digit = m_table->fontMetrics().horizontalAdvance(QLatin1Char('0'));
    constexpr int widths[CertificateModel::kColumnCount] = {7, 11, 9, 8, 26};
    for (int at = 0; at < CertificateModel::kColumnCount; ++at)
        m_table->setColumnWidth(at, std::max(widths[at] * digit, m_table->horizontalHeader()->sectionSizeHint(at)));
    m_table->setItemDelegateForColumn(CertificateModel::CandidatesColumn, new InlineBarDelegate(m_table));
    m_table->horizontalHeader()->setStretchLastSection(true);
    connect(m_table, &QAbstractItemView::activated, this, [this](const QModelIndex& at) { emit tokenActivated(m_table->toSource(at).row()); });
    connect(m_table, &CopyableTableView::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_table, format, QStringLiteral("certificates")); });
    lower->addWidget(m_law);
    lower->addWidget(m_table);
    lower->setStretchFactor(0, 1);
    lower->setStretchFactor(1, 1);
    return lower;
}

QWidget* CertificatePage::framed(HistogramChart* chart, const QString& title, const QString& name)
{
    auto* side = new QWidget(this);
    auto* column = new QVBoxLayout(side);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    auto* row = new QHBoxLayout;
    auto* exports = new ExportButton(side);
    exports->copyFrom(*chart);
    row->addWidget(new QLabel(title, side), 1);
    row->addWidget(exports);
    column->addLayout(row);
    column->addWidget(chart, 1);
    connect(exports, &ExportButton::exportRequested, this, [this, chart, name](FigureFormat format) { emit exportRequested(chart, format, name); });
    return side;
}

bool CertificatePage::shows() const { return m_pages->currentIndex() == 1; }

void CertificatePage::setReport(std::shared_ptr<const report::EncoderReport> report)
{
    const bool certified = report && report->certified;
    m_pages->setCurrentIndex(certified ? 1 : 0);
    m_model->setReport(report);
    if (!certified)
        return;
    std::vector<double> candidates, margins;
    std::int64_t most = 1, proven = 0, probable = 0, dense = 0, open = 0;
    double sum = 0, failure = 0;
    for (const auto& outcome : report->outcomes) {
        candidates.push_back(outcome.candidates);
        margins.push_back(outcome.margin);
        most = std::max<std::int64_t>(most, outcome.candidates);
        sum += outcome.candidates;
        const Certainty certainty = certaintyOf(outcome);
        proven += certainty == Certainty::Proven;
        probable += certainty == Certainty::Probable;
        dense += certainty == Certainty::Dense;
        open += certainty == Certainty::Open;
        failure = std::max(failure, outcome.failure);
    }
    const auto tokens = static_cast<double>(std::max<std::size_t>(report->outcomes.size(), 1));
    m_candidates->setHistogram(withoutEmptyEnds(report::placeHistogram(candidates, most, 1.08)));
    m_margins->setHistogram(report::histogramOf(margins, kMarginBins));
    const auto of = [&](std::int64_t count, const QString& what) { return tr("%1 of %2 sets %3").arg(count).arg(report->outcomes.size()).arg(what); };
    QStringList parts;
    if (proven > 0 || probable + dense + open == 0)
        parts << of(proven, tr("proven"));
    if (probable > 0)
        parts << of(probable, tr("certain with probability 1 − %1 each").arg(formatNumber(failure, 2)));
    if (dense > 0)
        parts << of(dense, tr("by the dense fall-back"));
    if (open > 0)
        parts << of(open, tr("not proven"));
    parts << tr("%1 candidates a token of %2 latents, %3 at most").arg(formatNumber(sum / tokens, 3)).arg(report->latents).arg(most);
    m_state->setText(parts.join(QStringLiteral(" · ")));
    m_state->setToolTip(parts.join(QLatin1Char('\n')));
    showLaw(*report);
}

void CertificatePage::showLaw(const report::EncoderReport& report)
{
    std::vector<report::Point> tokens;
    for (const auto& outcome : report.outcomes)
        if (std::isfinite(outcome.bound) && outcome.candidates > 0)
            tokens.push_back({outcome.bound, static_cast<double>(outcome.candidates)});
    std::vector<report::Series> series;
    if (!tokens.empty()) {
        std::ranges::sort(tokens, {}, &report::Point::x);
        report::Series measured, low, high, law;
        measured.name = tr("measured, median").toStdString();
        low.name = tr("p10").toStdString();
        high.name = tr("p90").toStdString();
        low.dashed = high.dashed = true;
        measured.group = low.group = high.group = 0;
        const std::size_t groups = std::min<std::size_t>(kGroups, std::max<std::size_t>(tokens.size() / 5, 1));
        for (std::size_t g = 0; g < groups; ++g) {
            std::vector<double> counts;
            double x = 0;
            const std::size_t begin = tokens.size() * g / groups, end = tokens.size() * (g + 1) / groups;
            for (std::size_t i = begin; i < end; ++i) {
                counts.push_back(tokens[i].y);
                x += tokens[i].x / static_cast<double>(end - begin);
            }
            std::ranges::sort(counts);
            measured.points.push_back({x, counts[counts.size() / 2]});
            low.points.push_back({x, counts[counts.size() / 10]});
            high.points.push_back({x, counts[counts.size() * 9 / 10]});
        }
        law.name = tr("law for normally distributed scores").toStdString();
        law.baseline = true;
        const double from = 0, to = 2 * tokens.back().x;
        for (int i = 0; i <= kLawPoints; ++i) {
            const double x = from + (to - from) * i / kLawPoints;
            law.points.push_back({x, report::expectedSurvivors(report.latents, report.k, x)});
        }
        series = {std::move(measured), std::move(low), std::move(high), std::move(law)};
    }
    m_law->setSeries(series);
    m_law->setEmptyText(tr("The encoder did not tell how wide its bounds are."));
}

void CertificatePage::setCaption(const QString& settings)
{
    m_candidates->setCaption(settings);
    m_margins->setCaption(settings);
    m_law->setCaption(settings);
    m_table->setCaption(settings);
}

} // namespace tamis::views
