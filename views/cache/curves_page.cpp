// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache/curves_page.h"

#include "views/cache/outcome_bars.h"
#include "views/cache/reuse_distance_view.h"
#include "views/common/chart_figure.h"
#include "views/common/copyable_table_view.h"
#include "views/common/elided_label.h"
#include "views/common/figure_export.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QPushButton>
#include <QScopedValueRollback>
#include <QSlider>
#include <QSortFilterProxyModel>
#include <QStackedWidget>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr int kSliderSteps = 1000;
using Counted = CacheMeasure::Counted;

QString words(const std::string& text) { return QString::fromStdString(text); }
double number(std::uint64_t value) { return static_cast<double>(value); }
} // namespace

CurvesPage::CurvesPage(QWidget* parent)
    : QWidget(parent), m_stack(new QStackedWidget(this)), m_empty(new PlaceholderPanel(QStringLiteral("spectrum"), tr("No trace is open"),
                                                                                      tr("Open a list of requests (text, CSV, libCacheSim, vscsi; plain, gzip, xz or zstd), or drop it here, to see what caches of every size would hit."), m_stack)),
      m_chart(new LineChart(this)), m_overTime(new LineChart(this)), m_popularity(new LineChart(this)), m_reuse(new ReuseDistanceView(this)), m_outcome(new OutcomeBars(this)),
      m_model(new CurveTableModel(this)), m_table(new CopyableTableView(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing / 2, 0, 0);
    column->addWidget(m_stack);
    m_empty->setObjectName(QStringLiteral("cacheEmpty"));
    m_empty->setAction(tr("Open a trace…"));
    auto* nothing = new QWidget(m_stack);
    auto* middle = new QVBoxLayout(nothing);
    auto* bundled = new QPushButton(themedIcon(QStringLiteral("open")), tr("Open the bundled trace (100 000 words)"), nothing);
    bundled->setObjectName(QStringLiteral("openBundledTrace"));
    bundled->setToolTip(tr("Words of speeches as requests: Zipf-like, with phases"));
    middle->addStretch(1);
    middle->addWidget(m_empty);
    middle->addWidget(bundled, 0, Qt::AlignHCenter);
    middle->addStretch(1);
    m_stack->addWidget(nothing);
    auto* body = new QWidget(m_stack);
    auto* grid = new QGridLayout(body);
    grid->setContentsMargins(0, 0, 0, 0);
    grid->setSpacing(Theme::kSpacing);
    buildChart();
    buildBar(grid);
    grid->addWidget(boxed({}, QStringLiteral("curves"), m_chart), 1, 0, 2, 2);
    buildTable(grid);
    grid->addWidget(boxed(tr("What left, and was it wanted again"), QStringLiteral("evicted"), m_outcome, &m_evicted), 2, 2);
    grid->addWidget(boxed(tr("Hits over time"), QStringLiteral("over-time"), m_overTime, &m_overTimeWord), 3, 0);
    grid->addWidget(boxed(tr("Reuse distances over time"), QStringLiteral("reuse-distances"), m_reuse), 3, 1);
    grid->addWidget(boxed(tr("Popularity"), QStringLiteral("popularity"), m_popularity, &m_zipf), 3, 2);
    grid->setRowStretch(1, 3);
    grid->setRowStretch(2, 3);
    grid->setRowStretch(3, 4);
    for (int i = 0; i < 3; ++i)
        grid->setColumnStretch(i, 1);
    m_stack->addWidget(body);
    connect(m_empty, &PlaceholderPanel::actionTriggered, this, &CurvesPage::openRequested);
    connect(bundled, &QPushButton::clicked, this, &CurvesPage::bundledRequested);
    connect(&Theme::instance(), &Theme::changed, this, &CurvesPage::showCurves);
    setNothing(true);
    showMeasure();
    setRefining({});
}

void CurvesPage::buildChart()
{
    m_chart->setObjectName(QStringLiteral("cacheCurves"));
    m_chart->setAccessibleName(tr("Misses against the size of the cache"));
    m_chart->setMinimumSize(320, 200);
    m_chart->setEmptyText(tr("Curves of the ticked policies are drawn here."));
    m_overTime->setObjectName(QStringLiteral("cacheOverTime"));
    m_overTime->setAccessibleName(tr("Hit ratio over time"));
    m_overTime->setMinimumSize(200, 130);
    m_overTime->setEmptyText(tr("Hits of the chosen policy at the cursor's size, over the trace."));
    m_popularity->setObjectName(QStringLiteral("cachePopularity"));
    m_popularity->setAccessibleName(tr("Requests of objects by rank"));
    m_popularity->setMinimumSize(200, 130);
    m_popularity->setEmptyText(tr("How often the most wanted objects are requested."));
    m_popularity->setAxes({.xTitle = tr("rank"), .yTitle = tr("requests"), .logX = true, .logY = true});
    connect(m_chart, &LineChart::cursorMoved, this, &CurvesPage::moveCursor);
    connect(m_popularity, &LineChart::cursorMoved, this, [this](double rank, bool finished) { moveCursor(rank / std::max(objectsAt(1), 1e-300), finished); });
    const auto exported = [this](LineChart* chart, const QString& name) {
        onChartExport(chart, this, [this, name](Figure& figure, FigureFormat format) { emit exportRequested(&figure, format, name); });
    };
    exported(m_chart, QStringLiteral("curves"));
    exported(m_overTime, QStringLiteral("hits-over-time"));
    exported(m_popularity, QStringLiteral("popularity"));
}

void CurvesPage::moveCursor(double size, bool finished)
{
    m_size = static_cast<std::uint64_t>(std::clamp(std::round(size), 1.0, std::max(1.0, number(m_about.workingSet))));
    showSize();
    emit sizeEdited(m_size, finished);
}

void CurvesPage::setLevels(const QString& brief)
{
    m_levels->setText(brief);
    m_levels->setVisible(!brief.isEmpty());
}

void CurvesPage::buildBar(QGridLayout* grid)
{
    auto* bar = new QHBoxLayout;
    const auto combo = [&](const QString& name, const QString& help, const QStringList& items) {
        auto* box = new QComboBox(this);
        box->setObjectName(name);
        box->setAccessibleName(help);
        box->setToolTip(help);
        box->addItems(items);
        bar->addWidget(box);
        connect(box, &QComboBox::activated, this, &CurvesPage::takeMeasure);
        return box;
    };
    m_counted = combo(QStringLiteral("cacheCounted"), tr("What is counted"), {tr("requests"), tr("bytes"), tr("cost")});
    m_missed = combo(QStringLiteral("cacheMissed"), tr("Misses or hits"), {tr("missed"), tr("hit")});
    const auto spin = [&](const QString& name, const QString& help, double most, const QString& unit) {
        auto* box = new QDoubleSpinBox(this);
        box->setObjectName(name);
        box->setAccessibleName(help);
        box->setToolTip(help);
        box->setRange(0, most);
        box->setDecimals(1);
        box->setSuffix(unit);
        box->setKeyboardTracking(false);
        bar->addWidget(box);
        connect(box, &QDoubleSpinBox::valueChanged, this, [this] {
            if (!m_quiet)
                takeMeasure();
        });
        return box;
    };
    m_missCost = spin(QStringLiteral("cacheMissCost"), tr("What a miss costs"), 1e9, tr(" µs a miss"));
    m_byteCost = spin(QStringLiteral("cacheByteCost"), tr("What a missed byte costs, or an object where the trace has no sizes"), 1e9, tr(" ns a byte"));
    m_slider = new QSlider(Qt::Horizontal, this);
    m_slider->setObjectName(QStringLiteral("cacheSize"));
    m_slider->setAccessibleName(tr("Size of the cache"));
    m_slider->setToolTip(tr("The size that all panels show; or drag the line in the chart"));
    m_slider->setRange(0, kSliderSteps);
    m_slider->setPageStep(50);
    m_slider->setMinimumWidth(90);
    m_sizeText = new QLabel(this);
    m_sizeText->setObjectName(QStringLiteral("cacheSizeText"));
    m_sizeText->setFont(Theme::numberFont(font()));
    m_refining = inkedLabel(this, QStringLiteral("cacheRefining"), Ink::Stale);
    auto* json = new QPushButton(themedIcon(QStringLiteral("export")), tr("JSON…"), this);
    json->setObjectName(QStringLiteral("exportCurvesJson"));
    json->setToolTip(tr("All curves with their settings and rules (docs/cache-view.md)"));
    bar->addSpacing(Theme::kSpacing);
    auto* title = new QLabel(tr("Cache si&ze"), this);
    title->setBuddy(m_slider);
    bar->addWidget(title);
    bar->addWidget(m_slider, 1);
    bar->addWidget(m_sizeText);
    bar->addWidget(m_refining);
    bar->addWidget(json);
    m_levels = new ElidedLabel(this, QStringLiteral("cacheLevels"), Ink::MutedText);
    m_levels->setFont(Theme::smallFont(font()));
    m_levels->setToolTip(tr("With the Levels page's settings, one of whose levels the cursor sizes"));
    auto* top = new QVBoxLayout;
    top->setSpacing(0);
    bar->setSpacing(Theme::kSpacing);
    top->addLayout(bar);
    top->addWidget(m_levels);
    grid->addLayout(top, 0, 0, 1, 3);
    connect(json, &QPushButton::clicked, this, &CurvesPage::jsonRequested);
    const auto told = [this](bool finished) {
        const double low = std::log(1.0), high = std::log(std::max(2.0, number(m_about.workingSet)));
        m_size = static_cast<std::uint64_t>(std::max(1.0, std::round(std::exp(low + (high - low) * m_slider->value() / kSliderSteps))));
        showSize();
        emit sizeEdited(m_size, finished);
    };
    connect(m_slider, &QSlider::valueChanged, this, [this, told] {
        if (!m_quiet)
            told(!m_slider->isSliderDown());
    });
    connect(m_slider, &QSlider::sliderReleased, this, [told] { told(true); });
}

void CurvesPage::buildTable(QGridLayout* grid)
{
    auto* box = new QWidget(this);
    auto* column = new QVBoxLayout(box);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    m_here = new QLabel(box);
    m_here->setObjectName(QStringLiteral("cacheHere"));
    m_here->setWordWrap(true);
    m_table->setObjectName(QStringLiteral("cacheTable"));
    m_table->setAccessibleName(tr("All curves at the cursor's size"));
    m_table->setSourceModel(m_model);
    m_table->setEmptyMessage(tr("Tick policies to compare them."));
    m_table->sortByColumn(CurveTableModel::HitColumn, Qt::DescendingOrder);
    for (int each = 0; each < CurveTableModel::kColumnCount; ++each) // all are in sight; a long title is cut
        m_table->horizontalHeader()->setSectionResizeMode(each, each == CurveTableModel::TitleColumn ? QHeaderView::Stretch : QHeaderView::ResizeToContents);
    m_table->horizontalHeader()->setMinimumSectionSize(30);
    m_table->setMinimumWidth(300);
    m_remove = new QPushButton(themedIcon(QStringLiteral("remove")), tr("Remove kept"), box);
    m_remove->setObjectName(QStringLiteral("removeCacheRun"));
    m_remove->setToolTip(tr("The selected kept configuration leaves the chart"));
    m_remove->setEnabled(false);
    auto* row = new QHBoxLayout;
    row->addWidget(m_here, 1);
    row->addWidget(m_remove);
    column->addLayout(row);
    column->addWidget(m_table, 1);
    grid->addWidget(box, 1, 2);
    const auto keptRow = [this](const QList<int>& rows) { return rows.size() == 1 ? m_model->curves()[static_cast<std::size_t>(rows.front())].kept : -1; };
    connect(m_table, &CopyableTableView::selectedRowsChanged, this, [this, keptRow](const QList<int>& rows) { m_remove->setEnabled(keptRow(rows) >= 0); });
    connect(m_remove, &QPushButton::clicked, this, [this, keptRow] {
        const QModelIndexList rows = m_table->selectionModel()->selectedRows();
        if (rows.size() == 1)
            if (const int kept = keptRow({m_table->toSource(rows.front()).row()}); kept >= 0)
                emit removeRequested(kept);
    });
    connect(m_table, &CopyableTableView::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_table, format, QStringLiteral("policies")); });
}

/// With a title above, an export button beside it, and a line of words below it where `word` is asked for. A chart has title and button itself.
QWidget* CurvesPage::boxed(const QString& title, const QString& name, QWidget* body, QLabel** word)
{
    auto* box = new QWidget(this);
    auto* column = new QVBoxLayout(box);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* figure = dynamic_cast<Figure*>(body);
    if (auto* chart = qobject_cast<LineChart*>(body))
        chart->setHeading(title);
    else if (figure) {
        auto* row = new QHBoxLayout;
        auto* label = new ElidedLabel(box, name + QStringLiteral("-title"), Ink::Text);
        label->setText(title);
        QFont bold = font();
        bold.setWeight(QFont::DemiBold);
        label->setFont(bold);
        row->addWidget(label, 1);
        auto* button = new ExportButton(box);
        button->setObjectName(QStringLiteral("export-") + name);
        button->copyFrom(*figure);
        row->addWidget(button);
        connect(button, &ExportButton::exportRequested, this, [this, figure, name](FigureFormat format) { emit exportRequested(figure, format, name); });
        column->addLayout(row);
    }
    column->addWidget(body, 1);
    if (word) {
        *word = mutedLabel(box, name + QStringLiteral("-word"));
        (*word)->setFont(Theme::smallFont(font()));
        (*word)->setWordWrap(true);
        column->addWidget(*word);
    }
    return box;
}

void CurvesPage::setNothing(bool nothing) { m_stack->setCurrentIndex(nothing ? 0 : 1); }

void CurvesPage::setMeasure(const CacheMeasure& measure)
{
    m_measure = measure;
    showMeasure();
    showCurves();
}

void CurvesPage::takeMeasure()
{
    m_measure.counted = static_cast<Counted>(std::max(0, m_counted->currentIndex()));
    m_measure.misses = m_missed->currentIndex() == 0;
    m_measure.missMicros = m_missCost->value();
    m_measure.nanosAByte = m_byteCost->value();
    showMeasure();
    showCurves();
    emit measureEdited();
}

/// Names before numbers: on a narrow page the columns that are least asked for give them their room.
void CurvesPage::showColumns()
{
    constexpr int kNarrow = 900; // pixels
    const bool wide = width() >= kNarrow, cost = m_measure.counted == Counted::Cost;
    using Model = CurveTableModel;
    for (const auto& [columnOf, shown] : {std::pair(Model::ByteHitColumn, m_about.sized), std::pair(Model::TimeColumn, false), std::pair(Model::UnwatchedColumn, m_model->watchesScene()), std::pair(Model::CostColumn, wide || cost), std::pair(Model::StateColumn, wide)})
        m_table->setColumnHidden(columnOf, !shown);
}

void CurvesPage::resizeEvent(QResizeEvent* event)
{
    QWidget::resizeEvent(event);
    showColumns();
}

void CurvesPage::showMeasure()
{
    const QScopedValueRollback quiet(m_quiet, true);
    const bool cost = m_measure.counted == Counted::Cost;
    m_counted->setCurrentIndex(static_cast<int>(m_measure.counted));
    m_missed->setCurrentIndex(m_measure.misses ? 0 : 1);
    m_missed->setVisible(!cost);
    m_missCost->setValue(m_measure.missMicros);
    m_byteCost->setValue(m_measure.nanosAByte);
    m_byteCost->setSuffix(m_about.sized ? tr(" ns a byte") : tr(" ns an object"));
    m_measure.ofTrace = m_about.costed;
    m_missCost->setVisible(cost && !m_measure.ofTrace);
    m_byteCost->setVisible(cost && !m_measure.ofTrace);
    m_model->setMeasure(m_measure);
    showColumns();
}

void CurvesPage::setCurves(const std::vector<ShownCurve>& curves, const report::CacheReport& about)
{
    m_curves = curves;
    m_about = about;
    m_about.curves.clear();
    m_model->setCurves(curves, about.sized);
    showMeasure();
    showCurves();
    showSize();
}

void CurvesPage::showCurves()
{
    const bool cost = m_measure.counted == Counted::Cost;
    std::vector<report::Series> all;
    std::vector<report::Series> bands;
    for (const ShownCurve& shown : m_curves) {
        report::Series line{.name = shown.title.toStdString(), .dashed = shown.kept >= 0, .group = shown.colour, .baseline = shown.curve.limit || shown.curve.knowsFuture};
        report::Series low{.name = tr("%1, samples −").arg(shown.title).toStdString(), .dashed = true, .group = shown.colour}, high = low;
        high.name = tr("%1, samples +").arg(shown.title).toStdString();
        for (const auto& point : shown.curve.points) {
            const double x = number(point.size), y = measureOf(point, m_measure);
            line.points.push_back({x, y});
            if (std::isfinite(point.deviation)) {
                const bool share = !cost || m_measure.ofTrace;
                const double by = share ? point.deviation : point.deviation * m_measure.missMicros;
                low.points.push_back({x, std::max(0.0, y - by)});
                high.points.push_back({x, share ? std::min(1.0, y + by) : y + by});
            }
        }
        if (line.points.empty())
            continue;
        all.push_back(std::move(line));
        if (!low.points.empty()) {
            bands.push_back(std::move(low));
            bands.push_back(std::move(high));
        }
    }
    if (!all.empty() && std::isfinite(m_about.compulsory) && m_measure.counted == Counted::Requests) { // bytes of first requests are not reported
        const double floor = m_measure.misses ? m_about.compulsory : 1 - m_about.compulsory;
        double low = INFINITY, high = 0;
        for (const auto& series : all) {
            low = std::min(low, series.points.front().x);
            high = std::max(high, series.points.back().x);
        }
        all.push_back({.name = tr("compulsory: first requests").toStdString(), .points = {{low, floor}, {high, floor}}, .baseline = true});
    }
    all.insert(all.end(), bands.begin(), bands.end());
    const QString unit = m_about.sized ? tr("cache size, bytes") : tr("cache size, objects");
    const QString height = cost                                  ? (m_measure.ofTrace ? tr("misses' share of all costs") : tr("cost of misses, µs a request"))
                           : m_measure.counted == Counted::Bytes ? (m_measure.misses ? tr("byte miss ratio") : tr("byte hit ratio"))
                                                                 : (m_measure.misses ? tr("miss ratio") : tr("hit ratio"));
    m_chart->setAxes({.xTitle = unit, .yTitle = height, .logX = true, .zeroBased = true});
    m_chart->setSeries(all);
}

void CurvesPage::setRefining(const QString& what)
{
    m_refining->setText(what);
    m_refining->setVisible(!what.isEmpty());
}

void CurvesPage::setSize(std::uint64_t size)
{
    m_size = size;
    showSize();
}

double CurvesPage::objectsAt(std::uint64_t size) const
{
    if (!m_about.sized || m_about.workingSet == 0)
        return number(size);
    return number(size) * number(m_about.objects) / number(m_about.workingSet);
}

void CurvesPage::showSize()
{
    const QScopedValueRollback quiet(m_quiet, true);
    const bool any = m_size > 0 && m_about.requests > 0;
    const QString text = any ? cacheSizeText(m_size, m_about.sized) : QString();
    m_chart->setCursor(any ? std::optional(number(m_size)) : std::nullopt, text);
    m_sizeText->setText(text);
    const auto ruled = std::ranges::find_if(m_curves, [](const ShownCurve& each) { return each.kept < 0 && !each.curve.rules.empty(); });
    m_here->setText(!any ? QString() : ruled == m_curves.end() ? tr("At %1").arg(text) : tr("At %1, rules: %2").arg(text, words(ruled->curve.rules)));
    m_model->setSize(std::max<std::uint64_t>(m_size, 1));
    if (any && !m_slider->isSliderDown())
        m_slider->setValue(static_cast<int>(std::lround(kSliderSteps * std::log(number(m_size)) / std::log(std::max(2.0, number(m_about.workingSet))))));
    const std::optional<double> held = any ? std::optional(objectsAt(m_size)) : std::nullopt;
    m_reuse->setObjects(held);
    m_popularity->setCursor(held, held ? tr("%1 held").arg(formatCount(*held)) : QString());
}

void CurvesPage::setSizeReport(std::shared_ptr<const report::CacheSizeReport> report, bool refining)
{
    m_sizeReport = std::move(report);
    m_overTime->setStale(refining);
    m_outcome->setOutcome(m_sizeReport ? std::optional(m_sizeReport->evicted) : std::nullopt);
    showOverTime();
    if (!m_sizeReport) {
        m_evicted->clear();
        return;
    }
    const auto& gone = m_sizeReport->evicted;
    const auto share = [&](std::uint64_t count) { return gone.evictions > 0 ? formatPercent(number(count) / number(gone.evictions)) : formatPercent(0); };
    m_evicted->setText(gone.evictions == 0 ? tr("Nothing was evicted.") : tr("%1 rightly evicted, %2 left without a hit; %3 of bookkeeping for %4 held")
                                                                                .arg(share(gone.neverWanted), share(gone.neverUsed), formatBytes(number(m_sizeReport->stateBytes)), formatCount(number(m_sizeReport->held))));
}

void CurvesPage::showOverTime()
{
    const bool bytes = m_measure.counted == Counted::Bytes;
    std::vector<report::Series> all;
    if (m_sizeReport && !m_sizeReport->windows.empty()) {
        const auto& report = *m_sizeReport;
        const auto ratio = [&](const report::HitWindow& window) { return bytes ? number(window.hitBytes) / number(window.bytes) : number(window.hits) / number(window.requests); };
        const auto at = [](const report::HitWindow& window) { return number(window.first) + number(window.requests) / 2; };
        const auto counted = [&](const report::HitWindow& window) { return (bytes ? window.bytes : window.requests) > 0; };
        report::Series hits{.name = words(report.title).toStdString(), .group = 0}, warm{.name = tr("warm-up").toStdString(), .dashed = true, .group = 0};
        report::Series unwatched{.name = tr("without looking for scene changes").toStdString(), .dashed = true, .group = 1};
        report::Series changes{.name = tr("scene change").toStdString(), .group = 2};
        for (std::size_t i = 0; i < report.windows.size(); ++i) {
            const auto& window = report.windows[i];
            if (!counted(window))
                continue;
            (window.first + window.requests <= report.warmUp ? warm : hits).points.push_back({at(window), ratio(window)});
            if (i < report.unwatched.size())
                unwatched.points.push_back({at(window), ratio(report.unwatched[i])});
            if (window.sceneChanges > 0) // a needle from the floor to the hits
                for (const double y : {0.0, ratio(window), 0.0})
                    changes.points.push_back({at(window), y});
        }
        all.push_back(std::move(hits));
        for (report::Series* more : {&warm, &unwatched, &changes})
            if (!more->points.empty())
                all.push_back(std::move(*more));
    }
    m_overTime->setAxes({.xTitle = tr("request"), .yTitle = bytes ? tr("byte hit ratio") : tr("hit ratio"), .zeroBased = true});
    m_overTime->setSeries(all);
    m_overTimeWord->setText(overTimeWord());
}

QString CurvesPage::overTimeWord() const
{
    if (!m_sizeReport || m_sizeReport->requests == 0)
        return {};
    const auto& report = *m_sizeReport;
    const auto share = [&](std::uint64_t hits) { return formatPercent(number(hits) / number(report.requests), 2); };
    const QString all = tr("%1 at %2: %3 of %4 requests hit").arg(words(report.title), cacheSizeText(report.size, report.sized), share(report.hits), formatCount(number(report.requests)));
    const QString word = report.exact ? all : tr("%1, about: from a sample").arg(all);
    if (report.unwatched.empty())
        return word;
    std::uint64_t changes = 0;
    for (const auto& window : report.windows)
        changes += window.sceneChanges;
    return tr("%1; %2 scene changes; %3 without looking for them").arg(word, formatCount(number(changes)), share(report.unwatchedHits));
}

void CurvesPage::setTraceReport(std::shared_ptr<const report::TraceReport> report)
{
    m_trace = std::move(report);
    m_reuse->setTrace(m_trace);
    showPopularity();
}

void CurvesPage::showPopularity()
{
    std::vector<report::Series> all;
    m_zipf->clear();
    if (m_trace && m_trace->ranks.size() == m_trace->rankRequests.size() && !m_trace->ranks.empty()) {
        report::Series counts{.name = tr("requests").toStdString(), .group = 0};
        for (std::size_t i = 0; i < m_trace->ranks.size(); ++i)
            counts.points.push_back({number(m_trace->ranks[i]), number(m_trace->rankRequests[i])});
        all.push_back(counts);
        if (std::isfinite(m_trace->zipfExponent) && m_trace->objects > 0) {
            double harmonic = 0; // of the fitted distribution over all ranks: sums up to 100 000, the rest by its integral
            const std::uint64_t summed = std::min<std::uint64_t>(m_trace->objects, 100'000);
            const double a = m_trace->zipfExponent;
            for (std::uint64_t r = 1; r <= summed; ++r)
                harmonic += std::pow(number(r), -a);
            if (summed < m_trace->objects) {
                const double from = number(summed) + 0.5, to = number(m_trace->objects) + 0.5;
                harmonic += std::abs(a - 1) < 1e-9 ? std::log(to / from) : (std::pow(to, 1 - a) - std::pow(from, 1 - a)) / (1 - a);
            }
            report::Series fit{.name = tr("Zipf, %1").arg(formatNumber(a, 3)).toStdString(), .dashed = true, .group = 1};
            for (const auto& point : counts.points)
                fit.points.push_back({point.x, number(m_trace->requests) * std::pow(point.x, -a) / harmonic});
            all.push_back(std::move(fit));
            m_zipf->setText(tr("Zipf exponent %1, farthest from the counts by %2 of all requests").arg(formatNumber(a, 3), formatPercent(m_trace->zipfDistance)));
        }
    }
    m_popularity->setSeries(all);
}

void CurvesPage::setCaption(const QString& settings)
{
    for (LineChart* chart : {m_chart, m_overTime, m_popularity})
        chart->setCaption(settings);
    m_reuse->setCaption(settings);
    m_outcome->setCaption(settings);
    m_table->setCaption(settings);
}

} // namespace tamis::views
