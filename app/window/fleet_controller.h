// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/job_group.h"
#include "app/jobs/lane.h"
#include "app/session/session_document.h"
#include "core/report/fleet_report.h"
#include "views/common/figure.h"

#include <QObject>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace tamis::views {
class CachePanel;
class DevicesPage;
} // namespace tamis::views

namespace tamis::app {

/// What the controller shares with the others. Not owned.
struct FleetNeighbours {
    SessionDocument& document;
    JobQueue& jobs;
    std::function<void(const views::Figure& figure, views::FigureFormat format, const QString& name)> exportFigure;
};

/// A plan of several devices as it is asked for: a method that needs no server, on a trace.
struct FleetRequest {
    std::string method;
    Parameters parameters;
    std::string trace, format; ///< as CacheChoice has them; an empty trace is the bundled one
    io::TraceColumns columns;
    bool operator==(const FleetRequest&) const = default;
};

/// The Cache tab's page of devices. The models follow the session's settings while the page is in sight; a server is measured by a job, when it is asked for.
class FleetController : public QObject
{
    Q_OBJECT
public:
    FleetController(const FleetNeighbours& neighbours, views::CachePanel& panel, QObject* parent = nullptr); ///< `panel` outlives it
    ~FleetController() override;

    void measure();     ///< the open model on the open photos through the server; without them its latency alone
    void stop();
    void useMeasured(); ///< the measured line for the edge
    QString disabledReason() const;     ///< why no server can be measured now; empty: it can
    QString useDisabledReason() const;  ///< why there is no line to use
    const std::shared_ptr<const report::FleetReport>& report() const noexcept { return m_report; }        ///< null: none
    const std::shared_ptr<const report::RemoteReport>& measured() const noexcept { return m_measured; }   ///< null: none
    bool isUpToDate() const; ///< the report is of the present settings
    views::DevicesPage& page() noexcept { return *m_page; }

signals:
    void availabilityChanged();
    void done(const QString& sentence);
    void failed(const QString& sentence);

private:
    using FleetLane = Lane<FleetRequest, report::FleetReport>;
    void connectPage();
    std::string method() const; ///< one that the page offers
    Parameters parameters(const std::string& method) const;
    FleetRequest asked() const;
    void edit(const QString& label, const QString& mergeKey, const std::function<void(FleetChoice&)>& change);
    void showSettings();
    void refresh();
    void take(const std::shared_ptr<const report::FleetReport>& report, const FleetRequest& of);
    void takeMeasured(const report::FleetReport& report);
    QString caption() const;

    FleetNeighbours m_with;
    views::DevicesPage* m_page; ///< the panel's
    JobGroup m_jobs;
    std::shared_ptr<const report::FleetReport> m_report;
    std::shared_ptr<const report::RemoteReport> m_measured;
    std::optional<FleetRequest> m_shownOf, m_failedOf;
    int m_job = 0; ///< that measures; 0: none
    std::unique_ptr<FleetLane> m_lane; ///< last: joins first
};

} // namespace tamis::app
