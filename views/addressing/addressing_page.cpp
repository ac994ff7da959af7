// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/addressing/addressing_page.h"

#include "views/addressing/grouped_bars.h"
#include "views/addressing/load_bars.h"
#include "views/common/chart_figure.h"
#include "views/common/figure_export.h"
#include "views/common/line_chart.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QComboBox>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QScrollArea>
#include <QVBoxLayout>

#include <cmath>

namespace tamis::views {
namespace {
constexpr double kPage = 4096;
QString words(const std::string& text) { return QString::fromStdString(text); }
QString micros(double value) { return value < 1000 ? formatNumber(value, 3) + QStringLiteral(" µs") : formatMilliseconds(value / 1000); }
} // namespace

AddressingPage::AddressingPage(QWidget* parent)
    : QWidget(parent), m_summary(new QLabel(this)), m_routerText(new QLabel(this)), m_reads(new GroupedBars(this)), m_latencies(new GroupedBars(this)), m_quality(new GroupedBars(this)),
      m_caches(new LineChart(this)), m_load(new LoadBars(this)), m_routers(new QComboBox(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    m_summary->setObjectName(QStringLiteral("addressingSummary"));
    m_summary->setWordWrap(true);
    m_summary->setTextInteractionFlags(Qt::TextSelectableByMouse);
    column->addWidget(m_summary);
    m_grid = new QGridLayout;
    m_grid->setSpacing(Theme::kSpacing);
    column->addLayout(m_grid, 1);
    m_reads->setAccessibleName(tr("Bytes of rows and of pages a token, by layout"));
    m_reads->setFormat(formatBytes, QStringLiteral("bytes"));
    m_latencies->setAccessibleName(tr("Microseconds a read, by reader"));
    m_latencies->setFormat(micros, QStringLiteral("µs"));
    m_latencies->setLogarithmic(true);
    m_quality->setAccessibleName(tr("Quality beside the trivial ones"));
    m_caches->setObjectName(QStringLiteral("addressingCaches"));
    m_caches->setAccessibleName(tr("Hit rate against the size of a cache"));
    m_caches->setMinimumSize(280, 180);
    m_caches->setAxes({.xTitle = tr("rows in the cache"), .yTitle = tr("hit rate"), .logX = true, .zeroBased = true});
    m_caches->setEmptyText(tr("What a cache of rows saves is shown here."));
    m_routers->setObjectName(QStringLiteral("addressingRouters"));
    m_routers->setAccessibleName(tr("Router"));
    m_routerText->setObjectName(QStringLiteral("addressingRouterText"));
    m_routerText->setWordWrap(true);
    auto* router = new QWidget(this);
    auto* routerColumn = new QVBoxLayout(router);
    routerColumn->setContentsMargins(0, 0, 0, 0);
    routerColumn->addWidget(m_routers);
    routerColumn->addWidget(m_load, 1);
    routerColumn->addWidget(m_routerText);
    m_grid->addWidget(boxed(tr("Bytes and pages a token"), QStringLiteral("reads"), m_reads, m_reads, true), 0, 0);
    m_timeBox = boxed(tr("Time a read"), QStringLiteral("latencies"), m_latencies, m_latencies, true);
    m_qualityBox = boxed(tr("What it is worth"), QStringLiteral("quality"), m_quality, m_quality, true);
    m_grid->addWidget(m_qualityBox, 1, 0);
    m_cacheBox = boxed(tr("What a cache saves"), QStringLiteral("caches"), m_caches, nullptr, false);
    m_grid->addWidget(m_cacheBox, 2, 0);
    m_routerBox = boxed(tr("Where tokens go"), QStringLiteral("load"), router, m_load, false);
    m_grid->addWidget(m_routerBox, 2, 1);
    for (int row = 0; row < 3; ++row)
        m_grid->setRowStretch(row, 1);
    connect(m_routers, &QComboBox::currentIndexChanged, this, &AddressingPage::showRouter);
    onChartExport(m_caches, this, [this](Figure& figure, FigureFormat format) { emit exportRequested(&figure, format, QStringLiteral("caches")); });
    setReport(nullptr);
}

QWidget* AddressingPage::boxed(const QString& title, const QString& name, QWidget* body, Figure* figure, bool scrolls)
{
    auto* box = new QWidget(this);
    auto* column = new QVBoxLayout(box);
    column->setContentsMargins(0, 0, 0, 0);
    auto* head = new QHBoxLayout;
    auto* label = new QLabel(title, box);
    label->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    head->addWidget(label, 1);
    if (figure) {
        auto* exports = new ExportButton(box);
        exports->setObjectName(QStringLiteral("export-") + name);
        exports->copyFrom(*figure);
        head->addWidget(exports);
        connect(exports, &ExportButton::exportRequested, this, [this, figure, name](FigureFormat format) { emit exportRequested(figure, format, name); });
    }
    column->addLayout(head);
    if (scrolls) {
        auto* area = new QScrollArea(box);
        area->setWidgetResizable(true);
        area->setFrameShape(QFrame::NoFrame);
        area->setWidget(body);
        area->setMinimumHeight(120);
        body = area;
    }
    column->addWidget(body, 1);
    return box;
}

void AddressingPage::setReport(std::shared_ptr<const report::AddressingReport> report)
{
    m_report = std::move(report);
    QString text = tr("What reading rows by token costs is shown here.");
    if (m_report) {
        text = tr("%1 on %2: %3 tokens, %4 of the rows of a window of %5 are different").arg(words(m_report->method), words(m_report->samples)).arg(m_report->traceTokens)
                   .arg(formatPercent(m_report->uniqueRows)).arg(m_report->window);
        if (m_report->unseenTokens > 0)
            text += QStringLiteral(" · ") + tr("%1 tokens were never seen in calibration").arg(m_report->unseenTokens);
    }
    m_summary->setText(text);
    showReads();
    showLatencies();
    showQuality();
    showCaches();
    const QSignalBlocker quiet(m_routers);
    m_routers->clear();
    if (m_report)
        for (const auto& router : m_report->routers)
            m_routers->addItem(words(router.routing));
    m_routerBox->setVisible(m_routers->count() > 0);
    m_grid->addWidget(m_timeBox, 0, 1, m_routers->count() > 0 ? 2 : 3, 1); // down to the router, if there is one
    showRouter();
}

void AddressingPage::showReads()
{
    std::vector<BarRow> rows;
    if (m_report)
        for (const auto& table : m_report->tables) {
            rows.push_back({tr("%1, %2, token by token").arg(words(table.layout), words(table.type)), {table.bytesPerToken, table.pagesPerToken * kPage}, {}});
            if (table.batch > 0)
                rows.push_back({tr("%1, %2, %3 at once").arg(words(table.layout), words(table.type)).arg(table.batch), {table.bytesPerToken, table.batchPagesPerToken * kPage}, {}});
        }
    m_reads->setBars({tr("rows"), tr("pages of 4 KiB")}, rows);
}

void AddressingPage::showLatencies()
{
    std::vector<BarRow> rows;
    if (m_report)
        for (const auto& latency : m_report->latencies)
            rows.push_back({tr("%1, %2, %3").arg(words(latency.reader), words(latency.layout), latency.cold ? tr("from disk") : tr("from memory")), {latency.p50, latency.p95, latency.p99}, words(latency.failure)});
    m_latencies->setBars({QStringLiteral("p50"), QStringLiteral("p95"), QStringLiteral("p99")}, rows);
}

void AddressingPage::showQuality()
{
    std::vector<BarRow> rows;
    QStringList series;
    if (m_report && !m_report->memories.empty()) {
        series = {tr("held out"), tr("calibration")};
        m_quality->setFormat([](double value) { return formatNumber(value, 3); }, tr("unexplained share"));
        for (const auto& memory : m_report->memories)
            rows.push_back({words(memory.name), {memory.heldOut, memory.calibration}, {}});
    } else if (m_report && std::isfinite(m_report->wholePerplexity)) {
        series = {tr("perplexity, held out")};
        m_quality->setFormat([](double value) { return formatNumber(value, 5); }, {});
        rows = {{tr("whole model"), {m_report->wholePerplexity}, {}},
                {tr("cheaper feed-forward"), {m_report->perplexity}, {}},
                {tr("with a scale a feature"), {m_report->sharedPerplexity}, {}},
                {tr("with the table"), {m_report->tablePerplexity}, {}}};
    }
    m_quality->setBars(series, rows);
    m_qualityBox->setVisible(!rows.empty());
}

void AddressingPage::showCaches()
{
    std::vector<report::Series> series;
    if (m_report)
        for (const auto& curve : m_report->caches) {
            report::Series line{curve.policy, {}, false, false, -1, false};
            for (const auto& point : curve.points)
                line.points.push_back({static_cast<double>(point.rows), point.hitRate});
            series.push_back(std::move(line));
        }
    m_caches->setSeries(series);
    m_cacheBox->setVisible(!series.empty() || !m_report);
}

void AddressingPage::showRouter()
{
    const int index = m_routers->currentIndex();
    if (!m_report || index < 0 || index >= static_cast<int>(m_report->routers.size())) {
        m_load->setLoad({});
        m_routerText->clear();
        return;
    }
    const auto& router = m_report->routers[static_cast<std::size_t>(index)];
    m_load->setLoad(router.load);
    m_routerText->setText(tr("%1 experts a token · entropy %2 nats · load: max/mean %3, Gini %4, evenness %5 · Jaccard of neighbours %6")
                              .arg(formatNumber(router.meanExperts, 3), formatNumber(router.entropy, 3), formatNumber(router.maxOverMean, 3), formatNumber(router.gini, 3),
                                   formatNumber(router.loadEntropy, 3), formatNumber(router.jaccard, 3)));
}

void AddressingPage::setStale(bool stale)
{
    m_caches->setStale(stale);
    for (QWidget* widget : {static_cast<QWidget*>(m_reads), static_cast<QWidget*>(m_latencies), static_cast<QWidget*>(m_quality), static_cast<QWidget*>(m_load)})
        widget->setEnabled(!stale);
}

void AddressingPage::setCaption(const QString& settings)
{
    m_reads->setCaption(settings);
    m_latencies->setCaption(settings);
    m_quality->setCaption(settings);
    m_caches->setCaption(settings);
    m_load->setCaption(settings);
}

} // namespace tamis::views
