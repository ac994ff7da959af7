// SPDX-License-Identifier: GPL-3.0-or-later
// The page of devices in the window: it follows its settings while it is in sight, as core computes it; a real server is measured and taken as the
// edge; one that is not there is a banner; all of it undone and kept in the session.
#include "app/window/fleet_controller.h"
#include "core/cache/load_trace.h"
#include "core/fleet/method.h"
#include "core/remote/connection.h"
#include "tests/core/remote/redis_process.h"
#include "views/cache/cache_panel.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"
#include "views/fleet/devices_page.h"
#include "views/fleet/ring_view.h"

#include <QApplication>
#include <QDir>
#include <QFile>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::app;
using tamis::test::RedisProcess;

namespace {
/// Whether a condition held when the watched widget was shown.
class ShowWatch final : public QObject {
public:
    explicit ShowWatch(std::function<bool()> holds) : m_holds(std::move(holds)) {}
    bool seen = false;

protected:
    bool eventFilter(QObject*, QEvent* event) override
    {
        if (event->type() == QEvent::Show || event->type() == QEvent::ShowToParent)
            seen |= m_holds();
        return false;
    }

private:
    std::function<bool()> m_holds;
};

/// The tab with this page alone.
struct FleetDesk {
    QTemporaryDir directory;
    SessionDocument document;
    JobQueue jobs;
    views::CachePanel panel;
    QString exported;
    FleetController controller{{document, jobs, [this](const views::Figure&, views::FigureFormat, const QString& name) { exported = name; }}, panel};

    ~FleetDesk() { controller.stop(); }
    views::DevicesPage& page() { return controller.page(); }
    bool show()
    {
        panel.resize(1280, 800);
        panel.show();
        return ready();
    }
    template <class Condition> static bool waitFor(Condition condition) { return QTest::qWaitFor(condition, 60'000); }
    bool ready()
    {
        return waitFor([this] { return controller.isUpToDate(); });
    }
    const FleetChoice& choice() { return document.state().fleet; }
    void set(const char* name, const ParameterValue& value, bool finished = true) { emit page().parameterEdited(QLatin1String(name), value, finished); }
    bool measured()
    {
        const auto before = controller.measured();
        controller.measure();
        return waitFor([&] { return !jobs.isRunning() && controller.measured() != before; });
    }
    void setServer(const QString& server) { emit page().serverEdited(server); }
    /// With TAMIS_SHOTS=<folder>, to be looked at.
    void savePicture(const QString& name)
    {
        QTest::qWait(300);
        if (const QString shots = qEnvironmentVariable("TAMIS_SHOTS"); !shots.isEmpty())
            panel.grab().save(shots + QLatin1Char('/') + name + QStringLiteral(".png"));
    }
};
} // namespace

class TstFleetController : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { views::Theme::instance().apply(*qApp, views::Theme::Mode::Light); }
    void followsItsSettings()
    {
        FleetDesk desk;
        QVERIFY(!desk.controller.report()); // nobody looks
        QVERIFY(desk.show());
        const auto trace = std::make_shared<cache::Trace>(cache::loadTrace(TAMIS_SOURCE_DIR "/datasets/traces/sotu-words.txt.gz", {}, {}));
        fleet::Inputs inputs;
        inputs.trace = trace;
        const auto expected = fleet::findMethod("fleet.ring")->run(inputs, {}, {});
        QVERIFY(desk.controller.report()->ring.placements[0].requests == expected.ring.placements[0].requests);
        QVERIFY(desk.page().ring()->isVisible());
        emit desk.page().exportRequested(desk.page().ring(), views::FigureFormat::Csv, "ring");
        QCOMPARE(desk.exported, QStringLiteral("ring"));
        desk.savePicture(QStringLiteral("cache-devices"));
        desk.set("devices", std::int64_t{5}, false);
        desk.set("devices", std::int64_t{6}, false);
        desk.set("devices", std::int64_t{7});
        QVERIFY(desk.ready());
        QCOMPARE(desk.controller.report()->ring.devices, 7);
        QCOMPARE(desk.document.undoStack().count(), 1); // one drag
        desk.document.undoStack().undo();
        QVERIFY(desk.ready());
        QCOMPARE(desk.controller.report()->ring.devices, 8);
        emit desk.page().methodEdited("fleet.gossip");
        QVERIFY(desk.ready());
        QVERIFY(desk.controller.report()->hasGossip && !desk.page().ring()->isVisible());
        desk.savePicture(QStringLiteral("cache-devices-gossip"));
    }
    void wrongSettingsSayWhy()
    {
        FleetDesk desk;
        QVERIFY(desk.show());
        QSignalSpy failures(&desk.controller, &FleetController::failed);
        desk.set("leaving", std::int64_t{200});
        QVERIFY(desk.waitFor([&] { return failures.count() == 1; }));
        QVERIFY(failures[0][0].toString().contains("0 to 7"));
        QTest::qWait(100);
        QCOMPARE(failures.count(), 1); // not again and again
        QVERIFY(desk.page().upper()->isStale() || !desk.controller.isUpToDate());
        desk.set("leaving", std::int64_t{3});
        QVERIFY(desk.ready());
    }
    void aServer()
    {
        if (!RedisProcess::available())
            QSKIP("redis-server is not installed: scripts/packages.sh test installs it");
        RedisProcess redis(RedisProcess::Kind::Port);
        QVERIFY(redis.start());
        FleetDesk desk;
        QVERIFY(desk.show());
        QVERIFY(!desk.controller.useDisabledReason().isEmpty());
        desk.setServer(redis.text());
        QCOMPARE(desk.choice().server, redis.server().text());
        QVERIFY(desk.measured());
        const auto& remote = *desk.controller.measured();
        QVERIFY(remote.reached && !remote.degraded && remote.get.secondsPerByte > 0);
        QVERIFY(!desk.page().banner()->isVisible());
        QCOMPARE(desk.page().breakEven()->series().size(), std::size_t{5}); // three tiers, the server, computing again
        desk.controller.useMeasured();
        QVERIFY(desk.ready());
        QCOMPARE(desk.choice().method, std::string("fleet.edge-cloud"));
        QVERIFY(std::fabs(desk.controller.report()->edgeCloud.lines[1].seconds - remote.get.seconds) < 1e-12 + 1e-9 * remote.get.seconds);
        QVERIFY(std::fabs(desk.controller.report()->edgeCloud.lines[1].secondsPerByte - remote.get.secondsPerByte) < 1e-9 * remote.get.secondsPerByte);
        desk.savePicture(QStringLiteral("cache-devices-edge"));
        desk.document.undoStack().undo();
        QVERIFY(desk.ready());
        QVERIFY(desk.controller.report()->hasRing);
        redis.killHard();
        QVERIFY(desk.measured());
        QVERIFY(desk.controller.measured()->degraded);
        QVERIFY(desk.page().banner()->isVisible() && desk.page().banner()->text().startsWith("Degraded: "));
        views::Theme::instance().apply(*qApp, views::Theme::Mode::Dark);
        desk.savePicture(QStringLiteral("cache-devices-dark"));
        views::Theme::instance().apply(*qApp, views::Theme::Mode::Light);
    }
    /// With a model that reads the open photos its own encoding is what computing again takes; with another one the latency alone is measured.
    void theModelIsMeasured()
    {
        if (!RedisProcess::available())
            QSKIP("redis-server is not installed: scripts/packages.sh test installs it");
        RedisProcess redis(RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        FleetDesk desk;
        const QDir photos(QStringLiteral(TAMIS_SOURCE_DIR "/datasets/photos"));
        const QStringList names = photos.entryList({QStringLiteral("*.jpg"), QStringLiteral("*.png")}, QDir::Files);
        for (const QString& name : names.mid(0, 4))
            QVERIFY(QFile::copy(photos.filePath(name), desk.directory.filePath(name)));
        const auto open = [&](const char* model) {
            desk.document.change("model", {}, [&](SessionState& state) {
                state.modelPath = std::string(TAMIS_SOURCE_DIR "/datasets/") + model;
                state.selection.photos = desk.directory.path().toStdString();
            });
        };
        open("vit20");
        QVERIFY(desk.show());
        desk.setServer(redis.text());
        const auto encodeOf = [&] { return desk.controller.report()->edgeCloud.encodeSeconds; };
        QVERIFY(desk.measured());
        const report::RemoteReport remote = *desk.controller.measured();
        QVERIFY(remote.encodeP50 > 1e-5 && remote.encodeP50 < 10); // of 20 MMAC or more: no machine is so fast or so slow
        QCOMPARE(remote.passes[0].computed, std::uint64_t{4});
        desk.controller.useMeasured();
        QVERIFY(desk.ready());
        QVERIFY(std::fabs(encodeOf() - remote.encodeP50) < 1e-9 * remote.encodeP50);
        open("tinylm");
        QVERIFY(desk.measured());
        QVERIFY(std::isnan(desk.controller.measured()->encodeP50) && desk.controller.measured()->get.secondsPerByte > 0);
        desk.controller.useMeasured();
        QVERIFY(desk.ready());
        QVERIFY(std::fabs(encodeOf() - remote.encodeP50) < 1e-9 * remote.encodeP50); // as it was
    }
    /// kill -9 while it is measured: the banner does not wait for the end.
    void theBannerIsLive()
    {
        if (!RedisProcess::available())
            QSKIP("redis-server is not installed: scripts/packages.sh test installs it");
        RedisProcess redis(RedisProcess::Kind::Socket);
        QVERIFY(redis.start());
        FleetDesk desk;
        QVERIFY(desk.show());
        desk.setServer(redis.text());
        ShowWatch watch([&] { return !desk.controller.measured() && desk.page().banner()->text().startsWith("Degraded: "); });
        desk.page().banner()->installEventFilter(&watch);
        std::jthread killer([server = redis.server(), pid = redis.pid()] {
            remote::Connection connection({server});
            connection.open({});
            const std::array<remote::Command, 1> ask{remote::Command{"DBSIZE"}};
            while (connection.run(ask, {}).front().number == 0)
                QThread::msleep(1);
            ::kill(pid, SIGKILL);
        });
        QVERIFY(desk.measured());
        QVERIFY(watch.seen);
        QVERIFY(desk.page().banner()->isVisible());
    }
    /// How a trace is read is a setting like the trace itself.
    void columnsAreFollowed()
    {
        FleetDesk desk;
        const QString file = desk.directory.filePath("two.csv");
        QFile csv(file);
        QVERIFY(csv.open(QIODevice::WriteOnly));
        csv.write("key,other\n");
        for (int i = 0; i < 500; ++i)
            csv.write(QByteArray::number(i % 50) + ',' + QByteArray::number(i % 7) + '\n');
        csv.close();
        const auto read = [&](const char* column) { desk.document.change("trace", {}, [&](SessionState& state) { state.cache.trace = file.toStdString(); state.cache.format = "csv"; state.cache.columns.id = column; }); };
        read("key");
        QVERIFY(desk.show());
        QCOMPARE(desk.controller.report()->objects, std::uint64_t{50});
        read("other");
        QVERIFY(desk.ready());
        QCOMPARE(desk.controller.report()->objects, std::uint64_t{7});
    }
    void noServerAtAll()
    {
        FleetDesk desk;
        QVERIFY(desk.show());
        desk.setServer("a:b");
        QVERIFY(desk.controller.disabledReason().contains("expected HOST:PORT"));
        QSignalSpy failures(&desk.controller, &FleetController::failed);
        desk.controller.measure();
        QVERIFY(failures.count() == 1 && failures[0][0].toString().contains("cannot be measured"));
        desk.document.undoStack().undo();
        QCOMPARE(desk.controller.disabledReason(), QString());
        desk.setServer("unix:" + desk.directory.filePath("nobody.sock"));
        QVERIFY(desk.measured());
        QVERIFY(desk.controller.measured()->degraded && !desk.controller.useDisabledReason().isEmpty());
        QVERIFY(desk.page().banner()->isVisible());
    }
};

QTEST_MAIN(TstFleetController)
#include "tst_fleet_controller.moc"
