// SPDX-License-Identifier: GPL-3.0-or-later
// A plan with a cache and with feature reuse: saved and opened, as a plan and with the session, both parts are what they were and set their labs.
#include "app/window/reuse_plan.h"
#include "core/cache/method.h"
#include "core/plan/plan.h"
#include "core/reuse/method.h"
#include "tests/app/window/desk.h"

#include <QTest>
#include <QUndoStack>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

namespace {
struct PartsDesk : Desk {
    const SessionState& state() { return window.document().state(); }
    /// Settings that are no method's defaults, whole as the plan holds them.
    void plan()
    {
        window.document().change("plan", {}, [](SessionState& now) {
            plan::PlannedCache cache{.policy = "cache.lru-k", .parameters = cache::findMethod("cache.lru-k")->declaration.schema.defaults()};
            cache.parameters.set("k", std::int64_t{3});
            cache.size = 321;
            cache.warmUp = 0.25;
            cache.trace = "requests.csv";
            plan::PlannedReuse reuse{"reuse.key-frames", completeParameters({"reuse.key-frames", {}}), "motion", 0.375};
            reuse.parameters.set("rule", std::string("motion"));
            reuse.parameters.set("motion", 1.25);
            reuse.parameters.set("interval", std::int64_t{0});
            now.plannedCache = cache;
            now.plannedReuse = reuse;
        });
    }
};
} // namespace

class TstPlanParts : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_plan_parts"); }

private slots:
    void savedAndOpened()
    {
        QTemporaryDir kept;
        const QString planFile = kept.filePath("plan.json"), session = kept.filePath("mine.tamis");
        std::optional<plan::PlannedCache> cache;
        std::optional<plan::PlannedReuse> reuse;
        {
            PartsDesk desk;
            QVERIFY(desk.open(dataset("vit20")));
            desk.plan();
            cache = desk.state().plannedCache;
            reuse = desk.state().plannedReuse;
            desk.answer = planFile;
            desk.run("plan.save");
            QVERIFY(desk.settled());
            const auto written = plan::readPlan(planFile.toStdString());
            QVERIFY(written.cache == cache && written.reuse == reuse);
            desk.answer = session;
            desk.run("file.save");
        }
        PartsDesk other; // the workspace as it was
        QVERIFY(other.open(session));
        QVERIFY(other.state().plannedCache == cache && other.state().plannedReuse == reuse);
        // Opened over another plan: one step, and both labs are set to what it says.
        other.window.document().change("another", {}, [](SessionState& state) {
            state.plannedCache.reset();
            state.plannedReuse.reset();
            state.reuse.setting = {"reuse.gate", {}};
            state.cache.size = 7;
        });
        const int steps = other.window.document().undoStack().count();
        other.window.open(planFile);
        QVERIFY(other.waitFor([&] { return other.state().plannedReuse.has_value(); }));
        QVERIFY(other.state().plannedCache == cache && other.state().plannedReuse == reuse);
        QCOMPARE(other.window.document().undoStack().count(), steps + 1);
        QCOMPARE(other.state().reuse.setting.method, std::string("reuse.key-frames"));
        QCOMPARE(other.state().reuse.setting.parameters.real("motion"), 1.25);
        QCOMPARE(other.state().cache.policy, std::string("cache.lru-k"));
        QCOMPARE(other.state().cache.size, std::uint64_t{321});
        other.run("edit.undo");
        QVERIFY(!other.state().plannedCache && !other.state().plannedReuse);
        QCOMPARE(other.state().reuse.setting.method, std::string("reuse.gate"));
    }
};

QTEST_MAIN(TstPlanParts)
#include "tst_plan_parts.moc"
