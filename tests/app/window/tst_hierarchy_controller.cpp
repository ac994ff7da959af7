// SPDX-License-Identifier: GPL-3.0-or-later
// Levels of caches in the window: refused with a reason, on the tab's trace and on frames as core computes them, live and undoable, nothing computed
// out of sight.
#include "app/window/hierarchy_work.h"
#include "core/hierarchy/method.h"
#include "tests/app/window/desk.h"
#include "views/cache/cache_panel.h"
#include "views/cache/curves_page.h"
#include "views/common/chart_canvas.h"
#include "views/common/line_chart.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/hierarchy/break_even_chart.h"
#include "views/hierarchy/level_chain.h"
#include "views/hierarchy/levels_page.h"
#include "views/hierarchy/levels_settings.h"

#include <QElapsedTimer>
#include <QLabel>
#include <QPushButton>
#include <QTest>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

namespace {
struct LevelsDesk : Desk {
    HierarchyController& controller() { return window.cache().levels(); }
    views::LevelsPage& page() { return *child<views::LevelsPage>("levels"); }
    bool showWindow()
    {
        if (!QTest::qWaitForWindowExposed(&window, kExposed))
            return false;
        QApplication::setActiveWindow(&window);
        return true;
    }
    void openTrace(const QString& file)
    {
        window.document().change(QStringLiteral("Open trace"), {}, [&](SessionState& state) { state.cache.trace = file.toStdString(); });
    }
    void showPage()
    {
        window.showLab(&window.cache().panel());
        window.cache().panel().showPage(QStringLiteral("levels"));
    }
    void set(const char* name, const ParameterValue& value, bool finished = true) { emit window.cache().panel().settings()->findChild<views::LevelsSettings*>()->parameterEdited(QLatin1String(name), value, finished); }
    bool cursorIsThere() { return waitFor([this] { return window.cache().cache().sources() != nullptr; }); }
    bool ready() { return waitFor([this] { return controller().isUpToDate(); }); }
    QString words() { return dataset("traces/sotu-words.txt.gz"); }
};
} // namespace

class TstHierarchyController : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_hierarchy_controller"); }

private slots:
    void refusedWithAReason()
    {
        LevelsDesk desk;
        QCOMPARE(desk.controller().disabledReason(), QString("neither a trace nor frames are open"));
        desk.controller().setFrames(dataset("motion"));
        QCOMPARE(desk.controller().disabledReason(), QString("frames need a vision model, and none is open"));
        desk.controller().setFrames({});
        QVERIFY(!desk.controller().isUpToDate());
    }
    void onTheTraceOfTheTab()
    {
        LevelsDesk desk;
        QVERIFY(desk.showWindow());
        desk.openTrace(desk.words());
        QTest::qWait(100);
        QVERIFY(!desk.controller().report() && desk.controller().lane().counts().requests == 0); // out of sight
        desk.showPage();
        QVERIFY(desk.cursorIsThere());
        QVERIFY(desk.ready());
        hierarchy::Inputs inputs;
        inputs.trace = std::make_shared<const hierarchy::RequestStream>(hierarchy::loadRequests(desk.words().toStdString(), {}, {}));
        const auto core = hierarchy::methods().front().run(inputs, desk.controller().parameters(), {});
        QCOMPARE(desk.controller().report()->totalNs, core.totalNs);
        QCOMPARE(desk.controller().report()->levels[0].hits, core.levels[0].hits);
        // Live, merged while it is dragged, and undoable.
        const int steps = desk.window.document().undoStack().count();
        const auto much = static_cast<std::int64_t>(core.levels[0].capacity); // the cursor's
        for (const std::int64_t bytes : {much + 300'000, much + 600'000, much + 900'000})
            desk.set("l1-capacity", bytes, bytes == much + 900'000);
        QVERIFY(desk.ready());
        QCOMPARE(desk.window.document().undoStack().count(), steps + 1);
        QVERIFY(desk.controller().report()->levels[0].hits > core.levels[0].hits);
        desk.window.document().undoStack().undo();
        QVERIFY(desk.ready());
        QCOMPARE(desk.controller().report()->levels[0].hits, core.levels[0].hits);
        // A setting that cannot be: a sentence, and the old picture stays.
        desk.set("prefetch", std::string("motion"));
        QVERIFY(desk.waitFor([&] { return desk.child<QLabel>("levelsProblem")->isVisible(); }));
        QVERIFY(desk.child<QLabel>("levelsProblem")->text().contains("expected frames and a model"));
        QVERIFY(!desk.controller().isUpToDate() && desk.controller().report());
        desk.set("prefetch", std::string("neighbours"));
        QVERIFY(desk.ready());
        QVERIFY(!desk.child<QLabel>("levelsProblem")->isVisible());
        savePicture(desk.window, "levels-trace");
    }
    /// Per-level hits and times follow the size that the curves are looked at.
    /// What the levels make of the size stands on the curves' page, while the line is dragged there by hand.
    void theCurvesPageSaysWhatTheyMakeOfIt()
    {
        LevelsDesk desk;
        QVERIFY(desk.showWindow());
        desk.openTrace(desk.words());
        desk.window.showLab(&desk.window.cache().panel());
        desk.window.cache().panel().showPage(QStringLiteral("curves"));
        QVERIFY(desk.cursorIsThere());
        desk.window.cache().cache().setSize(100, true);
        QVERIFY(desk.ready());
        auto* brief = desk.child<QLabel>("cacheLevels");
        QTRY_VERIFY(brief->isVisible() && brief->text().startsWith("L1 of this size: L1 "));
        const QString few = brief->text();
        QVERIFY2(few.contains("average access") && few.contains(views::formatPercent(static_cast<double>(desk.controller().report()->levels[0].hits) / 100'000, 1)), qPrintable(few));
        auto* canvas = desk.window.cache().cache().curvesPage().chart()->canvas();
        QTRY_VERIFY(canvas->plotArea().width() > 50);
        const auto at = [&](double size) { return QPoint(canvas->toPixel(size, 0.5).toPoint().x(), static_cast<int>(canvas->plotArea().center().y())); };
        QTest::mousePress(canvas->viewport(), Qt::LeftButton, {}, at(100));
        QTest::mouseMove(canvas->viewport(), at(500));
        QVERIFY(desk.waitFor([&] { return brief->text().startsWith("L1 of this size: L1 ") && brief->text() != few; })); // the button is still down
        QTest::mouseRelease(canvas->viewport(), Qt::LeftButton, {}, at(1000));
        QVERIFY(desk.ready());
        QCOMPARE(desk.controller().report()->levels[0].capacity, desk.window.cache().cache().size() * 3072);
        desk.controller().setFrames(dataset("motion")); // no size of the trace's
        QTRY_VERIFY(!brief->isVisible());
    }
    void followsTheSizeCursor()
    {
        LevelsDesk desk;
        QVERIFY(desk.showWindow());
        desk.openTrace(desk.words());
        desk.showPage();
        QVERIFY(desk.cursorIsThere());
        QVERIFY(desk.ready());
        auto& controller = desk.controller();
        const auto shown = [&](std::size_t level) { return controller.report()->levels[level].capacity; };
        // The bundled words have no sizes: so many objects of 768 values.
        auto& curves = desk.window.cache().cache();
        curves.setSize(100, true);
        QVERIFY(desk.ready());
        QCOMPARE(shown(0), std::uint64_t{100 * 3072});
        const auto few = *controller.report();
        curves.setSize(400, false); // while it is dragged
        QVERIFY(!controller.isUpToDate());
        QVERIFY(desk.ready());
        QCOMPARE(shown(0), std::uint64_t{400 * 3072});
        QVERIFY(controller.report()->levels[0].hits > few.levels[0].hits);
        // Not always faster: what a larger first level serves, an inclusive second one sees less of and lets go.
        hierarchy::Inputs inputs;
        inputs.trace = std::make_shared<const hierarchy::RequestStream>(hierarchy::loadRequests(desk.words().toStdString(), {}, {}));
        Parameters same;
        same.set("l1-capacity", std::int64_t{400 * 3072});
        QCOMPARE(controller.report()->amat, hierarchy::methods().front().run(inputs, same, {}).amat);
        desk.set("type", std::string("f16"));
        QVERIFY(desk.ready());
        QCOMPARE(shown(0), std::uint64_t{400 * 1536});
        controller.setCursor(500'000, true);
        QVERIFY(desk.ready());
        QCOMPARE(shown(0), std::uint64_t{500'000});
        QCOMPARE(controller.report()->levels[1].capacity, std::uint64_t{4'194'304});
        controller.setCursor(5'000'000, true); // larger than the second level is of itself: that one stays the larger one
        QVERIFY(desk.ready());
        QCOMPARE(shown(0), std::uint64_t{5'000'000});
        QCOMPARE(shown(1), std::uint64_t{80'000'000});
        QCOMPARE(shown(2), std::uint64_t{1'280'000'000});
        controller.setCursorLevel("l3");
        QVERIFY(desk.ready());
        QCOMPARE(shown(2), std::uint64_t{5'000'000});
        QCOMPARE(shown(1), std::uint64_t{4'194'304});
        controller.setCursor(500'000, true);
        QVERIFY(desk.ready());
        QCOMPARE(shown(1), std::uint64_t{31'250});
        QCOMPARE(shown(0), std::uint64_t{1'953});
        // Another level, undoably; a capacity set by hand lets the cursor go.
        controller.setCursorLevel("l2");
        QVERIFY(desk.ready());
        QCOMPARE(shown(1), std::uint64_t{500'000});
        QCOMPARE(shown(0), std::uint64_t{262'144});
        desk.set("l2-capacity", std::int64_t{600'000});
        QVERIFY(desk.ready());
        QCOMPARE(shown(1), std::uint64_t{600'000});
        QCOMPARE(desk.window.document().state().hierarchy.parameters.text("cursor"), std::string("none"));
        desk.window.document().undoStack().undo();
        QVERIFY(desk.ready());
        QCOMPARE(shown(1), std::uint64_t{500'000});
        controller.setCursorLevel("none");
        QVERIFY(desk.ready());
        QCOMPARE(shown(1), std::uint64_t{4'194'304});
    }
    /// The picture while a slider moves: the first requests, once the trace is read. (In the window the whole often overtakes it.)
    void coarseIsOfTheFirstRequests()
    {
        HierarchyWork work;
        const HierarchyRequest request{.model = {}, .frames = {}, .trace = LevelsDesk().words().toStdString(), .parameters = {}};
        QVERIFY(!work.coarse(request));
        const auto whole = work.refine(request, {});
        const auto coarse = work.coarse(request);
        QVERIFY(coarse && whole->report->whole && !coarse->report->whole);
        QCOMPARE(coarse->report->requests, std::uint64_t{HierarchyWork::kCoarseRequests});
        QVERIFY(whole->report->requests > coarse->report->requests);
    }
    void onFrames()
    {
        LevelsDesk desk;
        QVERIFY(desk.open(dataset("vit20")));
        desk.answer = dataset("motion");
        desk.window.commands().action(QStringLiteral("cache.levels-frames"))->trigger();
        QVERIFY(desk.ready());
        QCOMPARE(desk.controller().report()->reads, std::uint64_t{60 * 6 * 256});
        QCOMPARE(desk.controller().report()->types.size(), std::size_t{3});
        QVERIFY(desk.page().chain()->boxRect(3).isValid());
        QElapsedTimer timer;
        timer.start();
        desk.set("prefetch", std::string("layer"));
        qint64 first = -1; // picture, of the first requests or of all
        const auto seen = connect(&desk.controller(), &HierarchyController::availabilityChanged, this, [&] { first = first < 0 ? timer.elapsed() : first; });
        QVERIFY(desk.ready());
        disconnect(seen);
        QVERIFY(first >= 0);
        qInfo("a setting on 92,160 requests: %lld ms until a picture is shown, %lld ms until that of all is", static_cast<long long>(first), static_cast<long long>(timer.elapsed()));
        QVERIFY(desk.controller().report()->prefetch.issued > 0);
        makeRoom(desk.window);
        views::Theme::instance().apply(*qApp, views::Theme::Mode::Light);
        QTest::qWait(200);
        savePicture(desk.window, "cache-levels");
        views::Theme::instance().apply(*qApp, views::Theme::Mode::Dark);
        QTest::qWait(200);
        savePicture(desk.window, "cache-levels-dark");
        views::Theme::instance().apply(*qApp, views::Theme::Mode::Light);
        // A session keeps it.
        const SessionState before = desk.window.document().state();
        QCOMPARE(before.hierarchy.frames, dataset("motion").toStdString());
        QCOMPARE(before.hierarchy.parameters.text("prefetch"), std::string("layer"));
        desk.openTrace(desk.words());
        desk.set("prefetch", std::string("none"));
        desk.child<QPushButton>("useTrace")->click();
        QVERIFY(desk.ready());
        QVERIFY(desk.controller().report()->types.empty());
    }
};

QTEST_MAIN(TstHierarchyController)
#include "tst_hierarchy_controller.moc"
