// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/tokens/layers_page.h"

#include "views/common/chart_figure.h"
#include "views/common/figure_export.h"
#include "views/common/ink.h"
#include "views/common/line_chart.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/encoder/histogram_chart.h"
#include "views/tokens/token_picture.h"

#include <QHBoxLayout>
#include <QSplitter>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::views {
namespace {
constexpr std::int64_t kMostBins = 24;
constexpr double kMega = 1e6;
} // namespace

std::pair<std::vector<double>, std::vector<std::int64_t>> countBins(const std::vector<std::int64_t>& counts)
{
    if (counts.empty())
        return {};
    const auto [low, high] = std::ranges::minmax(counts);
    const std::int64_t width = (high - low) / kMostBins + 1, bins = (high - low) / width + 1;
    std::vector<double> edges;
    for (std::int64_t bin = 0; bin <= bins; ++bin)
        edges.push_back(static_cast<double>(low + bin * width) - 0.5);
    std::vector<std::int64_t> heights(static_cast<std::size_t>(bins));
    for (const auto count : counts)
        ++heights[static_cast<std::size_t>((count - low) / width)];
    return {edges, heights};
}

LayersPage::LayersPage(QWidget* parent)
    : QWidget(parent), m_chart(new LineChart(this)), m_histogram(new HistogramChart(this)), m_saved(mutedLabel(this, QStringLiteral("tokensSaved"))),
      m_spread(mutedLabel(this, QStringLiteral("tokensSpread"))), m_rowSums(mutedLabel(this, QStringLiteral("tokenRowSums")))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    auto* split = new QSplitter(Qt::Horizontal, this);
    split->setChildrenCollapsible(false);
    const auto side = [&](QLabel* head, QWidget* body, ExportButton* exports) {
        auto* box = new QWidget(split);
        auto* inner = new QVBoxLayout(box);
        inner->setContentsMargins(0, 0, 0, 0);
        auto* row = new QHBoxLayout;
        head->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
        row->addWidget(head, 1);
        if (exports)
            row->addWidget(exports);
        inner->addLayout(row);
        inner->addWidget(body, 1);
        split->addWidget(box);
    };
    m_chart->setObjectName(QStringLiteral("tokenLayers"));
    m_chart->setAccessibleName(tr("Tokens and MACs of each block"));
    m_chart->setMinimumSize(300, 180);
    m_chart->setAxes({.xTitle = tr("block"), .yTitle = tr("tokens"), .rightTitle = tr("MMAC"), .wholeX = true, .zeroBased = true});
    m_chart->setEmptyText(tr("Tokens and MACs of each block are shown here."));
    side(m_saved, m_chart, nullptr);
    m_histogram->setObjectName(QStringLiteral("keptCounts"));
    m_histogram->setAccessibleName(tr("Tokens that photos keep"));
    m_histogram->setAxes({.xTitle = tr("tokens that reach the head"), .yTitle = tr("photos"), .places = true});
    m_histogram->setEmptyText(tr("How many tokens each photo of the folder keeps is shown here."));
    auto* exports = new ExportButton(this);
    exports->setObjectName(QStringLiteral("exportKept"));
    exports->copyFrom(*m_histogram);
    side(m_spread, m_histogram, exports);
    split->setStretchFactor(0, 3);
    split->setStretchFactor(1, 2);
    split->setSizes({600, 400});
    column->addWidget(split, 1);
    m_rowSums->setWordWrap(true);
    m_rowSums->setTextInteractionFlags(Qt::TextSelectableByMouse);
    column->addWidget(m_rowSums);
    connect(exports, &ExportButton::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_histogram, format, QStringLiteral("kept-tokens")); });
    connect(m_chart, &LineChart::cursorMoved, this, [this](double x, bool) {
        if (const int depth = static_cast<int>(std::lround(x)) + 1; m_overlay && depth != m_depth) {
            m_depth = std::clamp(depth, 0, static_cast<int>(m_overlay->layers.size()));
            emit depthChanged(m_depth);
        }
        showCursor();
    });
    onChartExport(m_chart, this, [this](Figure& figure, FigureFormat format) { emit exportRequested(&figure, format, QStringLiteral("layers")); });
    setOverlay(nullptr);
    setKept({});
    setAttention(nullptr);
}

void LayersPage::setOverlay(std::shared_ptr<const report::TokenOverlay> overlay)
{
    m_overlay = std::move(overlay);
    std::vector<report::Series> series;
    if (m_overlay && !m_overlay->layers.empty()) {
        report::Series attention{tr("tokens in the attention").toStdString(), {}, false, true, -1, false}, mlp{tr("tokens in the MLP").toStdString(), {}, false, false, -1, false};
        report::Series macs{tr("MMAC of the block").toStdString(), {}, true, false, -1, false};
        for (const auto& layer : m_overlay->layers) {
            const double x = layer.block;
            attention.points.push_back({x, static_cast<double>(layer.before)});
            mlp.points.push_back({x, static_cast<double>(layer.after)});
            macs.points.push_back({x, static_cast<double>(layer.macs) / kMega});
        }
        series = {attention, mlp, macs};
    }
    m_chart->setSeries(series);
    QString saved;
    if (m_overlay && m_overlay->fullMacs > 0)
        saved = tr("%1: %2 MACs, whole %3 (%4)").arg(QString::fromStdString(m_overlay->file), formatCount(static_cast<double>(m_overlay->macs)),
                                                   formatCount(static_cast<double>(m_overlay->fullMacs)),
                                                   formatChange(static_cast<double>(m_overlay->fullMacs), static_cast<double>(m_overlay->macs)));
    if (m_overlay && !m_overlay->remark.empty())
        saved += QStringLiteral(" · ") + QString::fromStdString(m_overlay->remark);
    m_saved->setText(saved);
    showCursor();
}

void LayersPage::setKept(const std::vector<std::int64_t>& counts)
{
    report::Histogram made;
    std::tie(made.edges, made.counts) = countBins(counts);
    m_histogram->setHistogram(made);
    if (counts.empty())
        return m_spread->clear();
    const auto [low, high] = std::ranges::minmax(counts);
    const double mean = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0})) / static_cast<double>(counts.size());
    m_spread->setText(low == high ? tr("%1 photos, each keeps %2 tokens").arg(counts.size()).arg(low)
                                  : tr("%1 photos keep %2 to %3 tokens (mean %4)").arg(counts.size()).arg(low).arg(high).arg(formatNumber(mean, 4)));
}

void LayersPage::setAttention(const report::AttentionRange* range)
{
    m_rowSums->setVisible(range != nullptr);
    if (!range)
        return m_rowSums->clear();
    const auto fromOne = [](double sum) { return (sum < 1 ? QStringLiteral("1 − ") : QStringLiteral("1 + ")) + formatNumber(std::abs(sum - 1), 2); };
    m_rowSums->setText(tr("Row sums of this photo's attention, over all heads and blocks: %1 to %2. The softmax makes every row sum to 1 whatever its token, so a row sum is not offered as a score. "
                          "What tokens receive, the mean of their columns, is one: %3 to %4.")
                           .arg(fromOne(range->leastRow), fromOne(range->mostRow), formatNumber(range->leastReceived, 3), formatNumber(range->mostReceived, 3)));
}

void LayersPage::showCursor()
{
    if (!m_overlay || m_depth < 1 || m_depth > static_cast<int>(m_overlay->layers.size()))
        return m_chart->setCursor(std::nullopt);
    const auto& layer = m_overlay->layers[static_cast<std::size_t>(m_depth - 1)];
    m_chart->setCursor(layer.block, m_depth > static_cast<int>(blocksRun(*m_overlay)) ? tr("not run") : tr("%1 tokens").arg(layer.after));
}

void LayersPage::setDepth(int depth)
{
    m_depth = depth;
    showCursor();
}

void LayersPage::setStale(bool stale) { m_chart->setStale(stale); }

void LayersPage::setCaption(const QString& settings)
{
    m_chart->setCaption(settings);
    m_histogram->setCaption(settings);
}

} // namespace tamis::views
