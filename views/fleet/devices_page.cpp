// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/fleet/devices_page.h"

#include "views/common/chart_figure.h"
#include "views/common/figure_export.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/fleet/fleet_series.h"
#include "views/fleet/ring_view.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QVBoxLayout>

#include <cmath>

namespace tamis::views {
namespace {
class Form final : public MethodForm {
public:
    explicit Form(QWidget* parent) : MethodForm({QStringLiteral("fleetMethod"), QStringLiteral("fleetReference"), QStringLiteral("fleetParameters"), QStringLiteral("fleetTrain"), {}}, parent)
    {
        column()->setContentsMargins(0, 0, 0, 0);
        addMethod();
    }
};
} // namespace

DevicesPage::DevicesPage(QWidget* parent) : QWidget(parent), m_settings(new QWidget(this)), m_form(new Form(m_settings))
{
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, Theme::kSpacing, 0, 0);
    row->setSpacing(Theme::kSpacing);
    m_settings->hide(); // until a dock takes it
    auto* column = new QVBoxLayout(m_settings);
    column->addWidget(m_form);
    addServer(column);
    column->addStretch(1);
    addFigures(row);
    connect(m_form, &MethodForm::methodEdited, this, &DevicesPage::methodEdited);
    connect(m_form, &MethodForm::parameterEdited, this, &DevicesPage::parameterEdited);
    setDisabledReason({});
    setRunning(false);
    setMeasured(nullptr);
    setReport(nullptr);
}

void DevicesPage::addServer(QVBoxLayout* column)
{
    auto* label = new QLabel(tr("Redis &server"), m_settings);
    m_server = new QLineEdit(m_settings);
    m_server->setObjectName(QStringLiteral("fleetServer"));
    m_server->setToolTip(tr("HOST:PORT or unix:PATH; the password is taken from TAMIS_REDIS_PASSWORD"));
    label->setBuddy(m_server);
    m_measure = new QPushButton(themedIcon(QStringLiteral("run")), tr("&Measure the server"), m_settings);
    m_measure->setObjectName(QStringLiteral("measureFleet"));
    m_stop = new QPushButton(themedIcon(QStringLiteral("stop")), tr("Stop"), m_settings);
    m_stop->setObjectName(QStringLiteral("stopFleet"));
    m_use = new QPushButton(tr("Take it as the &edge"), m_settings);
    m_use->setObjectName(QStringLiteral("useMeasured"));
    m_use->setToolTip(tr("Latency and bandwidth of the edge tier as they were measured"));
    m_reason = mutedLabel(m_settings, QStringLiteral("fleetReason"));
    m_measuredText = mutedLabel(m_settings, QStringLiteral("fleetMeasured"));
    for (QLabel* text : {m_reason, m_measuredText})
        text->setWordWrap(true);
    for (QWidget* each : std::initializer_list<QWidget*>{label, m_server, m_measure, m_stop, m_reason, m_measuredText, m_use})
        column->addWidget(each);
    connect(m_server, &QLineEdit::editingFinished, this, [this] { emit serverEdited(m_server->text().trimmed()); });
    connect(m_measure, &QPushButton::clicked, this, &DevicesPage::measureRequested);
    connect(m_stop, &QPushButton::clicked, this, &DevicesPage::stopRequested);
    connect(m_use, &QPushButton::clicked, this, &DevicesPage::useMeasuredRequested);
}

void DevicesPage::addFigures(QHBoxLayout* row)
{
    auto* right = new QVBoxLayout;
    m_banner = new NoticeBar(this);
    m_banner->setObjectName(QStringLiteral("fleetBanner"));
    right->addWidget(m_banner);
    m_summary = new QLabel(this);
    m_summary->setObjectName(QStringLiteral("fleetSummary"));
    m_summary->setWordWrap(true);
    m_summary->setTextInteractionFlags(Qt::TextSelectableByMouse);
    right->addWidget(m_summary);
    auto* figures = new QHBoxLayout;
    m_ringBox = new QWidget(this);
    auto* ringColumn = new QVBoxLayout(m_ringBox);
    ringColumn->setContentsMargins(0, 0, 0, 0);
    auto* head = new QHBoxLayout;
    auto* ringTitle = new QLabel(tr("Load of the devices"), m_ringBox);
    QFont bold = font();
    bold.setWeight(QFont::DemiBold);
    ringTitle->setFont(bold);
    head->addWidget(ringTitle, 1);
    m_ring = new RingView(m_ringBox);
    auto* exports = new ExportButton(m_ringBox);
    exports->setObjectName(QStringLiteral("export-ring"));
    exports->copyFrom(*m_ring);
    head->addWidget(exports);
    ringColumn->addLayout(head);
    ringColumn->addWidget(m_ring, 1);
    m_left = new QWidget(this);
    auto* left = new QVBoxLayout(m_left);
    left->setContentsMargins(0, 0, 0, 0);
    left->addWidget(m_ringBox, 3);
    m_breakEven = new LineChart(this);
    m_breakEven->setObjectName(QStringLiteral("fleetBreakEven"));
    m_breakEven->setMinimumSize(240, 200); // with its legend and titles
    onChartExport(m_breakEven, this, [this](Figure& figure, FigureFormat format) { emit exportRequested(&figure, format, QStringLiteral("devices-break-even")); });
    left->addWidget(m_breakEven, 2);
    figures->addWidget(m_left, 1);
    auto* charts = new QVBoxLayout;
    m_upper = new LineChart(this);
    m_upper->setObjectName(QStringLiteral("fleetUpper"));
    m_lower = new LineChart(this);
    m_lower->setObjectName(QStringLiteral("fleetLower"));
    for (LineChart* chart : {m_upper, m_lower}) {
        chart->setMinimumSize(280, 160);
        charts->addWidget(chart, 1);
        const QString name = chart == m_upper ? QStringLiteral("devices") : QStringLiteral("devices-below");
        onChartExport(chart, this, [this, name](Figure& figure, FigureFormat format) { emit exportRequested(&figure, format, name); });
    }
    figures->addLayout(charts, 1);
    right->addLayout(figures, 1);
    row->addLayout(right, 1);
    connect(exports, &ExportButton::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_ring, format, QStringLiteral("ring")); });
}

void DevicesPage::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    emit shown();
}

void DevicesPage::setMethods(const std::vector<OfferedMethod>& methods) { m_form->setMethods(methods); }
void DevicesPage::setChoice(const QString& method, const Parameters& parameters) { m_form->setChoice(method, parameters); }

void DevicesPage::setServer(const QString& server)
{
    if (m_server->text() != server)
        m_server->setText(server);
}

void DevicesPage::setReport(std::shared_ptr<const report::FleetReport> report)
{
    m_report = std::move(report);
    showReport();
}

void DevicesPage::setTiers(std::shared_ptr<const report::EdgeCloudReport> tiers)
{
    m_tiers = std::move(tiers);
    showReport();
}

void DevicesPage::showBreakEven(LineChart* chart, const report::EdgeCloudReport* tiers, const report::RemoteReport* remote)
{
    chart->setHeading(tr("Fetching against computing"));
    chart->setAxes({.xTitle = tr("bytes"), .yTitle = tr("ms to fetch"), .logX = true, .logY = true});
    chart->setSeries(breakEvenSeries(tiers, remote));
    chart->setEmptyText(tr("Nothing is computed yet."));
}

void DevicesPage::setMeasured(std::shared_ptr<const report::RemoteReport> remote)
{
    m_measured = std::move(remote);
    QString text;
    if (m_measured && std::isfinite(m_measured->get.seconds))
        text = tr("%1: a get takes %2 and %3 ns a byte").arg(QString::fromStdString(m_measured->server), formatMilliseconds(1000 * m_measured->get.seconds), formatNumber(1e9 * m_measured->get.secondsPerByte, 3));
    m_measuredText->setText(text);
    m_measuredText->setVisible(!text.isEmpty());
    m_use->setEnabled(!text.isEmpty() && m_measured->get.secondsPerByte > 0);
    const QString last = m_measured && !m_measured->notices.empty() ? QString::fromStdString(m_measured->notices.back()) : QString();
    setDegraded(m_measured && m_measured->degraded ? last : QString());
    if (m_measured && !m_measured->degraded && !last.isEmpty()) // it was away meanwhile: times are not those of a server that is there
        m_banner->showNotice(NoticeBar::Severity::Information, tr("While it was measured: %1").arg(last));
    showReport();
}

void DevicesPage::setDegraded(const QString& notice)
{
    if (notice.isEmpty())
        m_banner->clear();
    else
        m_banner->showNotice(NoticeBar::Severity::Warning, tr("Degraded: %1").arg(notice));
}

void DevicesPage::showReport()
{
    const report::FleetReport* r = m_report.get();
    m_ringBox->setVisible(!r || r->hasRing);
    const bool beside = r && (r->hasRing || r->hasGossip);
    m_breakEven->setVisible(beside);
    m_left->setVisible(beside || !r || r->hasRing); // else the charts have all the room
    m_breakEven->setCaption(tr("tiers as the settings of fleet.edge-cloud say; a model for planning"));
    if (beside)
        showBreakEven(m_breakEven, m_tiers.get(), m_measured.get());
    m_summary->setText(r ? summaryOf(*r) : tr("Keys divided among devices, updates that they tell one another, and whether fetching from another tier pays are shown here."));
    if (r && r->hasRing) {
        const auto& load = r->ring.placements.front();
        m_ring->setLoad(load.requests, load.hits, static_cast<int>(r->parameters.integer("leaving")));
        m_upper->setHeading(tr("Evenness of the keys"));
        m_lower->setHeading(tr("Hits while a device leaves"));
        m_upper->setAxes({.xTitle = tr("virtual nodes of a device"), .yTitle = tr("spread of keys over the mean"), .logX = true, .logY = true});
        m_upper->setSeries(spreadSeries(r->ring));
        m_lower->setAxes({.xTitle = tr("% of the trace; a device leaves at 50"), .yTitle = tr("hit ratio"), .wholeX = false, .zeroBased = true});
        m_lower->setSeries(leaveSeries(r->ring));
    } else if (r && r->hasGossip) {
        m_upper->setHeading(tr("How an update spreads"));
        m_lower->setHeading(tr("Reads that are stale"));
        m_upper->setAxes({.xTitle = tr("rounds"), .yTitle = tr("share that knows"), .zeroBased = true});
        m_upper->setSeries(informedSeries(r->gossip));
        m_lower->setAxes({.xTitle = tr("seconds between updates"), .yTitle = tr("stale reads"), .logX = true, .wholeX = false, .zeroBased = true});
        m_lower->setSeries(staleSeries(r->gossip));
    } else {
        const report::RemoteReport* remote = m_measured ? m_measured.get() : r && r->hasRemote ? &r->remote : nullptr;
        m_ring->setLoad({}, {}, -1);
        showBreakEven(m_upper, r && r->hasEdgeCloud ? &r->edgeCloud : nullptr, remote);
        m_lower->setHeading(tr("Latency of the server"));
        m_lower->setAxes({.xTitle = tr("bytes"), .yTitle = tr("ms"), .logX = true, .logY = true});
        m_lower->setSeries(remote ? latencySeries(*remote) : std::vector<report::Series>());
    }
    m_upper->setEmptyText(tr("Nothing is computed yet."));
    m_lower->setEmptyText(tr("The latency of a server that is measured is shown here."));
}

void DevicesPage::setStale(bool stale)
{
    m_upper->setStale(stale);
    m_lower->setStale(stale);
    m_ring->setEnabled(!stale);
}

void DevicesPage::setCaption(const QString& settings)
{
    m_ring->setCaption(settings);
    m_upper->setCaption(settings);
    m_lower->setCaption(settings);
}

void DevicesPage::setDisabledReason(const QString& reason)
{
    m_measure->setEnabled(reason.isEmpty());
    m_reason->setText(reason.isEmpty() ? QString() : tr("Not now: %1.").arg(reason));
    m_reason->setVisible(!reason.isEmpty());
}

void DevicesPage::setRunning(bool running)
{
    m_measure->setVisible(!running);
    m_stop->setVisible(running);
}

} // namespace tamis::views
