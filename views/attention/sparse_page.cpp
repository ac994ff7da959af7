// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/attention/sparse_page.h"

#include "views/attention/attention_words.h"
#include "views/common/chart_figure.h"
#include "views/common/figure_export.h"
#include "views/common/heat_map.h"
#include "views/common/ink.h"
#include "views/common/labelled_combo.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QSplitter>
#include <QStackedWidget>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::views {
namespace {
enum Colours { BlocksRead, Scores };
} // namespace

SparsePage::SparsePage(QWidget* parent) : QWidget(parent), m_pages(new QStackedWidget(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->addWidget(m_pages);
    m_empty = new PlaceholderPanel(QStringLiteral("matrix"), tr("No blocks to show"), {}, m_pages);
    m_empty->setObjectName(QStringLiteral("sparseEmpty"));
    m_pages->addWidget(m_empty);
    auto* page = new QWidget(m_pages);
    auto* rows = new QVBoxLayout(page);
    rows->setContentsMargins(0, 0, 0, 0);
    rows->setSpacing(Theme::kSpacing / 2);
    auto* bar = new QHBoxLayout;
    m_colours = labelledCombo(page, bar, tr("&Colours"), QStringLiteral("sparseColours"), tr("What a cell's colour stands for"));
    m_colours->addItems({tr("blocks read"), tr("selection scores")});
    m_summary = mutedLabel(page, QStringLiteral("sparseSummary"));
    m_summary->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_summary->setTextInteractionFlags(Qt::TextSelectableByMouse);
    bar->addSpacing(Theme::kSpacing);
    bar->addWidget(m_summary, 1);
    auto* exports = new ExportButton(page);
    exports->setObjectName(QStringLiteral("exportBlockMap"));
    bar->addWidget(exports);
    rows->addLayout(bar);
    auto* split = new QSplitter(Qt::Horizontal, page);
    split->setObjectName(QStringLiteral("sparseSplit"));
    split->setChildrenCollapsible(false);
    m_map = new HeatMap(split);
    m_map->setObjectName(QStringLiteral("blockMap"));
    m_map->setAccessibleName(tr("Blocks of keys that each query read"));
    exports->copyFrom(*m_map);
    split->addWidget(m_map);
    buildCharts(split);
    split->setSizes({560, 440});
    rows->addWidget(split, 1);
    m_pages->addWidget(page);
    connect(m_colours, &QComboBox::currentIndexChanged, this, &SparsePage::showMap);
    connect(m_map, &HeatMap::cellSelected, this, [this](int query, int) { choose(query); });
    connect(exports, &ExportButton::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_map, format, QStringLiteral("blocks-read")); });
    setReport(nullptr);
}

void SparsePage::buildCharts(QWidget* parent)
{
    auto* charts = new QSplitter(Qt::Vertical, parent);
    charts->setObjectName(QStringLiteral("sparseCharts"));
    charts->setChildrenCollapsible(false);
    const auto chart = [&](const QString& name, const QString& title, const QString& y, const QString& file) {
        auto* made = new LineChart(charts);
        made->setObjectName(name);
        made->setAccessibleName(title);
        made->setMinimumSize(240, 150);
        made->setAxes({.xTitle = tr("query token"), .yTitle = y, .rightTitle = {}, .wholeX = true, .zeroBased = true});
        charts->addWidget(made);
        connect(made, &LineChart::cursorMoved, this, [this](double x, bool) { choose(static_cast<int>(std::lround(x))); });
        onChartExport(made, this, [this, file](Figure& figure, FigureFormat format) { emit exportRequested(&figure, format, file); });
        return made;
    };
    m_read = chart(QStringLiteral("tokensRead"), tr("Tokens read by each query"), tr("tokens read"), QStringLiteral("tokens-read"));
    m_gates = chart(QStringLiteral("gateValues"), tr("Gates of the branches at each query"), tr("gate"), QStringLiteral("gates"));
    m_gates->setEmptyText(tr("This operator has no gates."));
}

bool SparsePage::isEmpty() const { return !m_report || m_report->view.blocks.queries <= 0 || m_report->view.blocks.blocks <= 0; }

void SparsePage::setReport(const std::shared_ptr<const report::AttentionReport>& report)
{
    m_report = report;
    m_pages->setCurrentIndex(isEmpty() ? 0 : 1);
    if (isEmpty()) {
        m_empty->setText(tr("What stands in place of this head reads all keys or a fixed pattern. Choose a method that selects blocks of keys, "
                            "and which ones each query read is shown here."));
        m_query = -1;
        return;
    }
    const auto& blocks = m_report->view.blocks;
    m_query = std::clamp(m_query, -1, static_cast<int>(blocks.queries) - 1);
    const bool scored = !blocks.scores.empty();
    if (!scored)
        m_colours->setCurrentIndex(BlocksRead);
    m_colours->setEnabled(scored);
    m_colours->setToolTip(scored ? tr("What a cell's colour stands for") : tr("Not now: this operator tells no scores"));
    showMap();
    showCharts();
    setQuery(m_query);
}

void SparsePage::showMap()
{
    if (isEmpty())
        return;
    const auto& view = m_report->view;
    const auto& blocks = view.blocks;
    HeatGrid grid;
    grid.rows = static_cast<int>(blocks.queries);
    grid.columns = static_cast<int>(blocks.blocks);
    grid.values.assign(blocks.selected.size(), report::kNotMeasured);
    const bool scores = m_colours->currentIndex() == Scores && blocks.scores.size() == blocks.selected.size();
    for (std::size_t i = 0; i < blocks.selected.size(); ++i)
        if (scores ? std::isfinite(blocks.scores[i]) : blocks.selected[i] != 0)
            grid.values[i] = scores ? static_cast<double>(blocks.scores[i]) : 1;
    for (std::size_t query = 0; query < static_cast<std::size_t>(blocks.queries); ++query)
        grid.rowLabels << (query < view.tokenLabels.size() ? QStringLiteral("%1 %2").arg(query).arg(words(view.tokenLabels[query])) : QString::number(query));
    for (std::int64_t block = 0; block < blocks.blocks; ++block)
        grid.columnLabels << QString::number(block * blocks.blockTokens);
    grid.rowTitle = tr("query token");
    grid.columnTitle = tr("first token of the block of keys");
    grid.valueTitle = scores ? tr("selection score") : tr("read");
    m_map->setGrid(grid);
    if (m_query >= 0)
        setQuery(m_query);
}

void SparsePage::showCharts()
{
    const auto& view = m_report->view;
    const auto& blocks = view.blocks;
    report::Series read{.name = tr("read").toStdString(), .points = {}};
    report::Series all{.name = tr("exact attention").toStdString(), .points = {}, .dashed = true, .baseline = true};
    double sum = 0, whole = 0;
    for (std::size_t query = 0; query < blocks.tokensRead.size(); ++query) {
        const auto x = static_cast<double>(query), y = static_cast<double>(blocks.tokensRead[query]), exact = view.causal ? x + 1 : static_cast<double>(view.tokens);
        read.points.push_back({x, y});
        all.points.push_back({x, exact});
        sum += y;
        whole += exact;
    }
    m_read->setSeries(read.points.empty() ? std::vector<report::Series>() : std::vector{read, all});
    std::vector<report::Series> gates;
    if (blocks.gates.size() == static_cast<std::size_t>(blocks.queries) * 3) {
        std::size_t branch = 0;
        for (const QString& title : {tr("compression"), tr("selection"), tr("window")}) {
            report::Series made{.name = title.toStdString(), .points = {}};
            for (std::size_t query = 0; query < static_cast<std::size_t>(blocks.queries); ++query)
                made.points.push_back({static_cast<double>(query), static_cast<double>(blocks.gates[query * 3 + branch])});
            gates.push_back(std::move(made));
            ++branch;
        }
    }
    m_gates->setSeries(gates);
    const auto selected = std::accumulate(blocks.selected.begin(), blocks.selected.end(), 0.0);
    m_summary->setText(tr("%1 blocks of %2 tokens · %3 blocks a query%4").arg(blocks.blocks).arg(blocks.blockTokens).arg(formatNumber(selected / static_cast<double>(blocks.queries), 3),
                           whole > 0 ? tr(" · %1 of the tokens that exact attention reads").arg(formatPercent(sum / whole)) : QString()));
    m_summary->setToolTip(m_summary->text());
}

void SparsePage::choose(int query)
{
    setQuery(query);
    emit queryChosen(m_query);
}

void SparsePage::setQuery(int query)
{
    m_query = isEmpty() ? -1 : std::clamp(query, -1, static_cast<int>(m_report->view.blocks.queries) - 1);
    if (isEmpty())
        return;
    const auto& blocks = m_report->view.blocks;
    const auto selected = m_map->selected();
    m_map->setSelected(m_query >= 0 ? std::optional(std::pair{m_query, selected ? selected->second : 0}) : std::nullopt);
    if (m_query < 0) {
        m_read->setCursor(std::nullopt);
        m_gates->setCursor(std::nullopt);
        return;
    }
    const auto at = static_cast<std::size_t>(m_query);
    m_read->setCursor(m_query, at < blocks.tokensRead.size() ? tr("query %1: %2 tokens").arg(m_query).arg(blocks.tokensRead[at]) : tr("query %1").arg(m_query));
    m_gates->setCursor(m_query, tr("query %1").arg(m_query));
}

void SparsePage::setCaption(const QString& settings)
{
    m_map->setCaption(settings);
    m_read->setCaption(settings);
    m_gates->setCaption(settings);
}

} // namespace tamis::views
