// SPDX-License-Identifier: GPL-3.0-or-later
// The page of devices: what is drawn is what the report says, a server that is away is a banner, and what the user does is told.
#include "views/common/chart_figure.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/fleet/devices_page.h"
#include "views/fleet/fleet_series.h"
#include "views/fleet/ring_view.h"

#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

namespace {
report::FleetReport ringReport()
{
    report::FleetReport report;
    report.hasRing = true;
    report.parameters.set("leaving", std::int64_t{1});
    report.ring.devices = 4;
    report.ring.placements.push_back({.rule = "ring", .keys = {1, 2, 3, 4}, .requests = {100, 400, 300, 200}, .hits = {50, 400, 0, 100}, .keySpread = 0.4, .maxOverMean = 1.6, .movedOnLeave = 0.2, .movedOnJoin = 0.1, .hitRatio = 0.55});
    report.ring.placements.push_back({.rule = "modulo", .maxOverMean = 1.1, .movedOnLeave = 0.75, .hitRatio = 0.5});
    report.ring.spread = {{1, 0.9, 0.01, 0.8}, {64, 0.1, 0.01, 0.11}};
    report.ring.ringWindows = {0.1, 0.5};
    report.ring.moduloWindows = {0.1, 0.2};
    report.warnings = {"a model"};
    return report;
}
report::RemoteReport measured()
{
    report::RemoteReport remote;
    remote.server = "localhost:1";
    remote.get = {1e-4, 1e-9, 0.1};
    remote.latencies = {{1024, 1e-4, 2e-4, 3e-4, 1e-4, 2e-4, 4e-4}, {4096, 2e-4, 3e-4, 4e-4, 2e-4, 3e-4, 5e-4}};
    return remote;
}
} // namespace

class TstDevicesPage : public QObject {
    Q_OBJECT

private slots:
    void aRing()
    {
        DevicesPage page;
        page.resize(1000, 600);
        page.show();
        page.setReport(std::make_shared<report::FleetReport>(ringReport()));
        RingView& ring = *page.ring();
        QVERIFY(ring.isVisibleTo(&page));
        QVERIFY(std::fabs(ring.barLength(0) - ring.barLength(1) / 4) < 1e-9); // as the requests
        QVERIFY(std::fabs(ring.meanLength() - ring.barLength(1) * 250 / 400) < 1e-9);
        QTest::mouseMove(&ring, ring.barMiddle(1).toPoint());
        QTRY_VERIFY(!ring.hoverLines().isEmpty());
        QVERIFY(ring.hoverLines()[0].contains("1, leaves") && ring.hoverLines()[2].contains("100"));
        QCOMPARE(ring.figureCsv().split('\n')[2], QStringLiteral("1,400,400"));
        QCOMPARE(page.upper()->series().size(), std::size_t{3});
        QCOMPARE(page.lower()->series()[0].points.size(), std::size_t{2});
        const QString text = page.findChild<QLabel*>("fleetSummary")->text();
        QVERIFY(text.contains("1.6 times the mean") && text.contains("modulo") && text.contains("a model"));
    }
    void gossip()
    {
        DevicesPage page;
        report::FleetReport report;
        report.hasGossip = true;
        report.gossip = {.devices = 8, .mode = "push", .meanRounds = 5, .exactRounds = 5.1, .informed = {0.1, 1}, .exactInformed = {0.1, 1}, .staleness = {{1, 0.9, 0.8}, {2, 0.5, 0.6}}};
        page.setReport(std::make_shared<report::FleetReport>(report));
        QVERIFY(!page.ring()->isVisibleTo(&page));
        QCOMPARE(page.upper()->series().size(), std::size_t{2});
        QCOMPARE(page.lower()->series()[1].points[1].y, 0.6);
    }
    void breakEvenAndTheServer()
    {
        DevicesPage page;
        report::FleetReport report;
        report.hasEdgeCloud = true;
        report.edgeCloud.tiers = {"device", "edge"};
        report.edgeCloud.lines = {{1e-5, 1e-10}, {2e-3, 1e-8}};
        report.edgeCloud.encodeSeconds = 0.005;
        page.setReport(std::make_shared<report::FleetReport>(report));
        QCOMPARE(page.upper()->series().size(), std::size_t{3});
        QVERIFY(page.upper()->series().back().baseline); // computing again
        QCOMPARE(page.upper()->series().back().points[0].y, 5.0);
        QVERIFY(!page.findChild<QPushButton*>("useMeasured")->isEnabled());
        page.setMeasured(std::make_shared<report::RemoteReport>(measured()));
        QCOMPARE(page.upper()->series().size(), std::size_t{4});
        const auto& line = page.upper()->series()[2];
        QCOMPARE(line.points[0].y, 1000 * (1e-4 + 1e-9 * line.points[0].x));
        QCOMPARE(page.lower()->series().size(), std::size_t{4});
        QVERIFY(page.findChild<QPushButton*>("useMeasured")->isEnabled());
        QVERIFY(!page.banner()->isVisibleTo(&page));
    }
    /// Beside a ring and gossip stand the tiers as their settings say, and what was measured; levels of both kinds of computing again.
    void breakEvenIsAlwaysDrawn()
    {
        DevicesPage page;
        report::EdgeCloudReport tiers;
        tiers.tiers = {"device", "edge"};
        tiers.lines = {{1e-5, 1e-10}, {2e-3, 1e-8}};
        tiers.encodeSeconds = 0.005;
        page.setTiers(std::make_shared<report::EdgeCloudReport>(tiers));
        page.setReport(std::make_shared<report::FleetReport>(ringReport()));
        QVERIFY(page.breakEven()->isVisibleTo(&page));
        QCOMPARE(page.breakEven()->series().size(), std::size_t{3});
        auto remote = measured();
        remote.encodeP50 = 0.02;
        page.setMeasured(std::make_shared<report::RemoteReport>(remote));
        QCOMPARE(page.breakEven()->series().size(), std::size_t{5});
        QCOMPARE(page.breakEven()->series()[3].points[0].y, 20.0);
        QCOMPARE(page.breakEven()->series()[4].points[0].y, 5.0);
        report::FleetReport gossip;
        gossip.hasGossip = true;
        page.setReport(std::make_shared<report::FleetReport>(gossip));
        QVERIFY(page.breakEven()->isVisibleTo(&page));
        report::FleetReport edge;
        edge.hasEdgeCloud = true;
        edge.edgeCloud = tiers;
        page.setReport(std::make_shared<report::FleetReport>(edge));
        QVERIFY(!page.breakEven()->isVisibleTo(&page)); // above already
        QCOMPARE(page.upper()->series().size(), std::size_t{5});
    }
    void aLineThatFalls()
    {
        DevicesPage page;
        auto remote = measured();
        remote.get.secondsPerByte = -1e-12;
        page.setMeasured(std::make_shared<report::RemoteReport>(remote));
        QVERIFY(!page.findChild<QPushButton*>("useMeasured")->isEnabled());
    }
    void aServerThatWasAway()
    {
        DevicesPage page;
        auto remote = measured();
        remote.notices = {"The server does not answer.", "The server is back."};
        page.setMeasured(std::make_shared<report::RemoteReport>(remote));
        QCOMPARE(page.banner()->text(), QStringLiteral("While it was measured: The server is back."));
        page.setDegraded("gone");
        QCOMPARE(page.banner()->text(), QStringLiteral("Degraded: gone"));
        page.setDegraded({});
        QVERIFY(!page.banner()->isVisibleTo(&page));
    }
    void aServerThatIsAway()
    {
        DevicesPage page;
        auto remote = measured();
        remote.degraded = true;
        remote.notices = {"The server does not answer."};
        page.setMeasured(std::make_shared<report::RemoteReport>(remote));
        QVERIFY(page.banner()->isVisibleTo(&page));
        QCOMPARE(page.banner()->text(), QStringLiteral("Degraded: The server does not answer."));
        page.setMeasured(nullptr);
        QVERIFY(!page.banner()->isVisibleTo(&page));
    }
    void whatTheUserDoes()
    {
        DevicesPage page;
        page.setMeasured(std::make_shared<report::RemoteReport>(measured()));
        page.setServer("localhost:6379");
        QSignalSpy servers(&page, &DevicesPage::serverEdited), measures(&page, &DevicesPage::measureRequested), uses(&page, &DevicesPage::useMeasuredRequested), stops(&page, &DevicesPage::stopRequested);
        auto* edit = page.findChild<QLineEdit*>("fleetServer");
        edit->selectAll();
        QTest::keyClicks(edit, "unix:/r ");
        QTest::keyClick(edit, Qt::Key_Return);
        QCOMPARE(servers.value(0).value(0).toString(), QStringLiteral("unix:/r"));
        QTest::mouseClick(page.findChild<QPushButton*>("measureFleet"), Qt::LeftButton);
        QTest::mouseClick(page.findChild<QPushButton*>("useMeasured"), Qt::LeftButton);
        page.setRunning(true);
        QTest::mouseClick(page.findChild<QPushButton*>("stopFleet"), Qt::LeftButton);
        QCOMPARE(measures.count() + uses.count() + stops.count(), 3);
        page.setDisabledReason("nothing is open");
        QVERIFY(!page.findChild<QPushButton*>("measureFleet")->isEnabled());
        QVERIFY(page.findChild<QLabel*>("fleetReason")->text().contains("nothing is open"));
    }
};

QTEST_MAIN(TstDevicesPage)
#include "tst_devices_page.moc"
