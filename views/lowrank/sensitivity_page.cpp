// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/sensitivity_page.h"

#include "views/common/chart_figure.h"
#include "views/common/figure_export.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSplitter>
#include <QStackedWidget>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr std::size_t kMostCurves = 8; ///< more cannot be told apart
QString text(const std::string& s) { return QString::fromStdString(s); }
} // namespace

QString sensitivityTitle(SensitivityMeasure measure)
{
    switch (measure) {
    case SensitivityMeasure::Kl: return SensitivityPage::tr("KL to dense (nats)");
    case SensitivityMeasure::NllChange: return SensitivityPage::tr("Change of the cross-entropy (nats)");
    case SensitivityMeasure::Perplexity: return SensitivityPage::tr("Perplexity");
    case SensitivityMeasure::CosineLoss: return SensitivityPage::tr("1 − cosine of the outputs");
    case SensitivityMeasure::RelativeLoss: return SensitivityPage::tr("Relative loss of the matrix");
    }
    return {};
}

double sensitivity(const report::SensitivityPoint& point, SensitivityMeasure measure)
{
    switch (measure) {
    case SensitivityMeasure::Kl: return point.kl;
    case SensitivityMeasure::NllChange: return point.nllChange;
    case SensitivityMeasure::Perplexity: return point.perplexity;
    case SensitivityMeasure::CosineLoss: return point.cosineLoss;
    case SensitivityMeasure::RelativeLoss: return point.relativeLoss;
    }
    return report::kNotMeasured;
}

HeatGrid sensitivityGrid(const report::SensitivityReport& report, SensitivityMeasure measure)
{
    HeatGrid grid{.rows = static_cast<int>(report.matrices.size()), .columns = static_cast<int>(report.keeps.size())};
    grid.rowTitle = SensitivityPage::tr("matrix");
    grid.columnTitle = SensitivityPage::tr("keep");
    grid.valueTitle = sensitivityTitle(measure);
    grid.diverging = measure == SensitivityMeasure::NllChange; // a compression may help
    grid.fromZero = measure != SensitivityMeasure::Perplexity;
    grid.values.assign(static_cast<std::size_t>(grid.rows) * static_cast<std::size_t>(grid.columns), report::kNotMeasured);
    for (const double keep : report.keeps)
        grid.columnLabels << formatPercent(keep, 0);
    for (std::size_t row = 0; row < report.matrices.size(); ++row) {
        const auto& matrix = report.matrices[row];
        grid.rowLabels << text(matrix.name);
        for (const auto& point : matrix.points) {
            const auto at = std::find(report.keeps.begin(), report.keeps.end(), point.keep);
            if (at != report.keeps.end())
                grid.values[row * report.keeps.size() + static_cast<std::size_t>(at - report.keeps.begin())] = sensitivity(point, measure);
        }
    }
    return grid;
}

SensitivityPage::SensitivityPage(QWidget* parent)
    : QWidget(parent), m_pages(new QStackedWidget(this)), m_map(new HeatMap(this)), m_curves(new LineChart(this)), m_measure(new QComboBox(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->addWidget(m_pages);
    m_empty = new PlaceholderPanel(QStringLiteral("matrix"), tr("Not measured yet"),
                                   tr("Compresses one matrix at a time, all others dense, and runs samples through the model: which matrices the model can spare, and which it cannot."), m_pages);
    m_empty->setObjectName(QStringLiteral("sensitivityEmpty"));
    m_empty->setAction(tr("Measure"));
    connect(m_empty, &PlaceholderPanel::actionTriggered, this, &SensitivityPage::measureRequested);
    m_pages->addWidget(m_empty);
    auto* whole = new QWidget(m_pages);
    auto* rows = new QVBoxLayout(whole);
    rows->setContentsMargins(0, 0, 0, 0);
    rows->setSpacing(Theme::kSpacing / 2);
    rows->addWidget(buildBar());
    auto* sides = new QSplitter(Qt::Horizontal, whole);
    sides->setChildrenCollapsible(false);
    sides->setHandleWidth(Theme::kSpacing);
    m_map->setObjectName(QStringLiteral("sensitivityMap"));
    m_map->setAccessibleName(tr("Sensitivity of each matrix at each keep"));
    m_map->setEmptyText(tr("Matrices appear as they are measured."));
    m_curves->setObjectName(QStringLiteral("sensitivityCurves"));
    m_curves->setAccessibleName(tr("Sensitivity of the selected matrices against keep"));
    m_curves->setEmptyText(tr("Select a matrix in the map to see its curve."));
    m_curves->setMinimumWidth(240);
    sides->addWidget(m_map);
    sides->addWidget(m_curves);
    sides->setStretchFactor(0, 3);
    sides->setStretchFactor(1, 2);
    rows->addWidget(sides, 1);
    m_pages->addWidget(whole);
    connect(m_map, &HeatMap::cellSelected, this, [this](int row, int) {
        m_selection = QStringList{text(m_report->matrices[static_cast<std::size_t>(row)].name)};
        showCurves();
        emit selectionChanged(m_selection);
    });
    onChartExport(m_curves, this, [this](Figure& figure, FigureFormat format) { emit exportRequested(&figure, format, QStringLiteral("sensitivity-curves")); });
    setReport(nullptr);
}

QWidget* SensitivityPage::buildBar()
{
    auto* bar = new QWidget(this);
    auto* row = new QHBoxLayout(bar);
    row->setContentsMargins(0, 0, 0, 0);
    auto* label = new QLabel(tr("&Harm"), bar);
    label->setBuddy(m_measure);
    m_measure->setObjectName(QStringLiteral("sensitivityMeasure"));
    m_measure->setAccessibleName(tr("Harm"));
    m_measure->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    m_state = mutedLabel(bar, QStringLiteral("sensitivityState"));
    m_state->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_again = new QPushButton(themedIcon(QStringLiteral("run")), tr("Measure again"), bar);
    m_again->setObjectName(QStringLiteral("sensitivityAgain"));
    auto* exports = new ExportButton(bar);
    exports->setObjectName(QStringLiteral("exportSensitivity"));
    row->addWidget(label);
    row->addWidget(m_measure);
    row->addWidget(m_state, 1);
    row->addWidget(m_again);
    row->addWidget(exports);
    connect(m_again, &QPushButton::clicked, this, &SensitivityPage::measureRequested);
    connect(m_measure, &QComboBox::currentIndexChanged, this, [this] {
        showMap();
        showCurves();
    });
    connect(exports, &ExportButton::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_map, format, QStringLiteral("sensitivity")); });
    exports->copyFrom(*m_map);
    return bar;
}

SensitivityMeasure SensitivityPage::measure() const
{
    return m_measure->currentIndex() < 0 ? SensitivityMeasure::Kl : static_cast<SensitivityMeasure>(m_measure->currentData().toInt());
}

QString SensitivityPage::caption() const
{
    return !m_report ? QString() : tr("%1, one matrix at a time by %2 (%3), on %4").arg(text(m_report->model), text(m_report->method), text(m_report->accounting), text(m_report->samples));
}

void SensitivityPage::setReport(std::shared_ptr<const report::SensitivityReport> report)
{
    m_report = std::move(report);
    m_map->setCaption(caption());
    m_curves->setCaption(caption());
    showMeasures();
    showMap();
    setSelection(m_selection);
    showState();
}

void SensitivityPage::setRunning(bool running)
{
    m_running = running;
    showState();
}

void SensitivityPage::setDisabledReason(const QString& reason)
{
    m_reason = reason;
    showState();
}

void SensitivityPage::showState()
{
    m_pages->setCurrentIndex(m_report || m_running ? 1 : 0);
    m_again->setEnabled(m_reason.isEmpty());
    m_again->setToolTip(m_reason.isEmpty() ? tr("Measure with the samples and settings as they are now") : tr("Not now: %1").arg(m_reason));
    if (!m_report) {
        m_state->setText(m_running ? tr("Evaluating the dense model") : QString());
        return;
    }
    const auto done = m_report->matrices.size();
    QString line = done < m_report->planned ? (m_running ? tr("%1 of %2 matrices").arg(done).arg(m_report->planned) : tr("%1 of %2 matrices, stopped").arg(done).arg(m_report->planned))
                                            : tr("%1 matrices").arg(done);
    if (m_report->seconds > 0)
        line += tr(" in %1").arg(formatDuration(m_report->seconds));
    line += QStringLiteral(" · ") + tr("%1 samples, %2 predictions").arg(m_report->sampleCount).arg(m_report->predictions);
    m_state->setText(line);
    QStringList all{line, caption()};
    for (const auto& warning : m_report->warnings)
        all << text(warning);
    m_state->setToolTip(all.join(QLatin1Char('\n')));
}

void SensitivityPage::showMeasures()
{
    QList<int> wanted, have;
    for (const auto one : kSensitivityMeasures) {
        bool any = false;
        for (std::size_t at = 0; m_report && !any && at < m_report->matrices.size(); ++at)
            any = std::any_of(m_report->matrices[at].points.begin(), m_report->matrices[at].points.end(), [one](const auto& p) { return std::isfinite(sensitivity(p, one)); });
        if (any)
            wanted << static_cast<int>(one);
    }
    for (int at = 0; at < m_measure->count(); ++at)
        have << m_measure->itemData(at).toInt();
    if (wanted == have)
        return;
    const int before = m_measure->currentData().toInt();
    const QSignalBlocker quiet(m_measure);
    m_measure->clear();
    for (const int one : wanted)
        m_measure->addItem(sensitivityTitle(static_cast<SensitivityMeasure>(one)), one);
    m_measure->setCurrentIndex(std::max(wanted.isEmpty() ? -1 : 0, have.isEmpty() ? -1 : m_measure->findData(before)));
}

void SensitivityPage::showMap() { m_map->setGrid(m_report ? sensitivityGrid(*m_report, measure()) : HeatGrid()); }

void SensitivityPage::setSelection(const QStringList& names)
{
    m_selection = names;
    const auto chosen = m_map->selected();
    const bool stays = chosen && m_report && names.contains(text(m_report->matrices[static_cast<std::size_t>(chosen->first)].name));
    if (!stays)
        m_map->setSelected(std::nullopt);
    if (!stays && m_report && !names.isEmpty())
        for (std::size_t row = 0; row < m_report->matrices.size(); ++row)
            if (text(m_report->matrices[row].name) == names.first())
                m_map->setSelected(std::pair(static_cast<int>(row), chosen ? chosen->second : 0));
    showCurves();
}

void SensitivityPage::showCurves()
{
    std::vector<report::Series> series;
    for (std::size_t row = 0; m_report && row < m_report->matrices.size(); ++row) {
        const auto& matrix = m_report->matrices[row];
        if (!m_selection.contains(text(matrix.name)) || series.size() == kMostCurves)
            continue;
        report::Series curve{.name = matrix.name};
        for (const auto& point : matrix.points)
            if (const double value = sensitivity(point, measure()); std::isfinite(value))
                curve.points.push_back({point.keep, value});
        if (!curve.points.empty())
            series.push_back(std::move(curve));
    }
    m_curves->setAxes({.xTitle = tr("keep of the matrix"), .yTitle = sensitivityTitle(measure()), .wholeX = false});
    m_curves->setSeries(series);
}

} // namespace tamis::views
