// SPDX-License-Identifier: GPL-3.0-or-later
// The cache lab in the window, on the bundled trace: opened with one button, sampled before exact, the cursor and the sliders by hand, kept runs, undo,
// capacity rules, the plan, the session, failures in one sentence.
#include "app/session/session_file.h"
#include "core/cache/inspect.h"
#include "core/cache/load_trace.h"
#include "core/cache/rule_settings.h"
#include "core/plan/plan.h"
#include "tests/app/window/cache_desk.h"
#include "views/cache/cache_panel.h"
#include "views/cache/cache_settings.h"
#include "views/cache/curves_page.h"
#include "views/cache/outcome_bars.h"
#include "views/cache/step_board.h"
#include "views/cache/steps_page.h"
#include "views/common/chart_canvas.h"
#include "views/common/copyable_table_view.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"
#include "views/plan/cost_header.h"
#include "views/spectrum/spectrum_panel.h"
#include "views/workspace/workspace_model.h"
#include "views/workspace/workspace_tree.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QSlider>
#include <QSpinBox>
#include <QTest>
#include <QToolButton>

#include <algorithm>
#include <set>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

class TstCacheController : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_cache_controller"); }

private slots:
    void openedWithOneButton()
    {
        CacheDesk desk;
        QVERIFY(desk.expose());
        QVERIFY(!desk.window.commands().action("cache.keep")->isEnabled());
        QStringList order; // of what came on screen
        connect(&desk.cache(), &CacheController::curvesShown, this, [&](bool complete, bool sampled) { order << (complete ? "complete" : sampled ? "sampled" : "some"); });
        QVERIFY(desk.openBundled());
        QVERIFY(desk.window.commands().action("cache.keep")->isEnabled());
        QVERIFY(order.size() >= 2);
        QVERIFY2(order.indexOf("sampled") >= 0 && order.indexOf("sampled") < order.indexOf("complete"), qPrintable(order.join(' ')));
        QCOMPARE(order.last(), QStringLiteral("complete"));
        QVERIFY(!desk.child<QLabel>("cacheRefining")->isVisible());
        const auto* lru = desk.curve("cache.lru");
        QVERIFY(lru && lru->curve.exact && lru->curve.points.size() >= 20);
        const auto* limit = desk.curve("cache.belady"); // always there
        QVERIFY(limit && limit->curve.limit);
        for (std::size_t i = 0; i < lru->curve.points.size(); ++i)
            QVERIFY(limit->curve.points[i].hits >= lru->curve.points[i].hits);
        // as core has it, without the window
        const cache::Trace trace = cache::loadTrace(dataset("traces/sotu-words.txt.gz").toStdString(), {}, {});
        const auto reference = cache::missRatioCurves(trace, {{"cache.lru", {}}}, {.sizes = {lru->curve.points[5].size}}, {});
        QCOMPARE(lru->curve.points[5].hits, reference.curves[0].points[0].hits);
        QCOMPARE(desk.page().about().compulsory, reference.compulsory);
        QVERIFY(desk.child<QLabel>("cacheSummary")->text().contains("100000"));
        QCOMPARE(desk.window.views().tree->model()->rowCount(), 1); // the trace
        QVERIFY(desk.window.recentFiles().paths().contains(dataset("traces/sotu-words.txt.gz")));
        makeRoom(desk.window);
        QVERIFY(desk.idle());
        savePicture(desk.window, "cache-curves");
    }
    void everyPanelFollowsTheCursor()
    {
        CacheDesk desk;
        QVERIFY(desk.openBundled());
        QSignalSpy followed(&desk.cache(), &CacheController::sizeChanged);
        auto* canvas = desk.page().chart()->canvas();
        QTRY_VERIFY(canvas->plotArea().width() > 50);
        const auto at = [&](double x) { return canvas->toPixel(x, 0.5).toPoint(); };
        const double from = static_cast<double>(desk.cache().size());
        QTest::mousePress(canvas->viewport(), Qt::LeftButton, {}, at(from));
        QTest::mouseMove(canvas->viewport(), at(from * 1.5));
        QTRY_VERIFY(!followed.isEmpty());
        QVERIFY(desk.choice().size == 0); // nothing to undo while it is held
        QTest::mouseMove(canvas->viewport(), at(from * 2));
        QTest::mouseRelease(canvas->viewport(), Qt::LeftButton, {}, at(from * 2));
        QVERIFY(desk.choice().size > 0);
        QCOMPARE(followed.last()[0].toULongLong(), desk.cache().size());
        QVERIFY(desk.idle());
        QVERIFY(desk.page().outcome()->bars() > 2);
        QVERIFY(!desk.page().overTime()->series().empty() && !desk.page().popularity()->series().empty());
        const QString size = QString::number(desk.cache().size());
        QVERIFY(desk.child<QLabel>("over-time-word")->text().remove(QChar(0x202F)).contains(size));
        QVERIFY(desk.child<QLabel>("popularity-word")->text().contains("Zipf"));
        const int steps = desk.window.document().undoStack().index();
        desk.run("edit.undo");
        QCOMPARE(desk.choice().size, std::uint64_t{0});
        QCOMPARE(desk.window.document().undoStack().index(), steps - 1);
        QVERIFY(desk.cache().size() != size.toULongLong());
    }
    void slidersAreLiveAndUndoneAsOne()
    {
        CacheDesk desk;
        QVERIFY(desk.openBundled());
        desk.cache().setFocused("cache.lru-k");
        QVERIFY(desk.idle());
        const auto before = desk.curve("cache.lru-k")->curve.points;
        const int steps = desk.window.document().undoStack().index();
        auto* slider = desk.cache().settings().findChild<QSlider*>("k-slider");
        QVERIFY(slider);
        slider->setSliderDown(true);
        for (const double share : {0.2, 0.3, 0.4})
            slider->setValue(slider->minimum() + static_cast<int>(share * (slider->maximum() - slider->minimum())));
        slider->setSliderDown(false);
        QVERIFY(desk.idle());
        QCOMPARE(desk.window.document().undoStack().index(), steps + 1); // one drag, one step
        QVERIFY(desk.curve("cache.lru-k")->curve.exact);
        QVERIFY(desk.curve("cache.lru-k")->curve.parameters.integer("k") > 2);
        const auto hits = [](const auto& points) {
            std::vector<std::uint64_t> all;
            for (const auto& point : points)
                all.push_back(point.hits);
            return all;
        };
        QVERIFY(hits(desk.curve("cache.lru-k")->curve.points) != hits(before));
        desk.run("edit.undo");
        QVERIFY(desk.idle());
        QCOMPARE(hits(desk.curve("cache.lru-k")->curve.points), hits(before));
    }
    void keptRunsStayAndGo()
    {
        CacheDesk desk;
        QVERIFY(desk.openBundled());
        desk.cache().setFocused("cache.lru-k");
        desk.run("cache.keep");
        desk.run("cache.keep"); // the same is kept once
        QCOMPARE(desk.choice().kept.size(), std::size_t{1});
        desk.cache().settings().findChild<QDoubleSpinBox*>("k")->setValue(4);
        QVERIFY(desk.idle());
        QCOMPARE(std::count_if(desk.cache().curves().begin(), desk.cache().curves().end(), [](const auto& each) { return each.curve.policy == "cache.lru-k" && !each.curve.points.empty(); }), 2);
        desk.cache().removeKept(0);
        QVERIFY(desk.idle());
        QVERIFY(desk.choice().kept.empty());
        QCOMPARE(std::count_if(desk.cache().curves().begin(), desk.cache().curves().end(), [](const auto& each) { return each.curve.policy == "cache.lru-k"; }), 1);
    }
    void aWarmUpIsNotCounted()
    {
        CacheDesk desk;
        QVERIFY(desk.openBundled());
        auto* slider = desk.window.findChild<QSlider*>("cacheWarmUp");
        slider->setFocus();
        QTest::keyClick(slider, Qt::Key_PageUp);
        QVERIFY(desk.idle());
        QCOMPARE(desk.choice().warmUp, 0.1);
        QCOMPARE(desk.curve("cache.lru")->curve.points[0].requests, std::uint64_t{90000});
        const cache::Trace trace = cache::loadTrace(dataset("traces/sotu-words.txt.gz").toStdString(), {}, {});
        const auto reference = cache::missRatioCurves(trace, {{"cache.lru", {}}}, {.sizes = {10}, .warmUp = 10000}, {});
        QCOMPARE(desk.page().about().compulsory, reference.compulsory);
    }
    void rulesAreObeyedAndUndone()
    {
        CacheDesk desk;
        QVERIFY(desk.openBundled());
        const auto sources = desk.cache().sources();
        const std::uint64_t size = desk.cache().size();
        const auto free = desk.curve("cache.lru")->curve.points;
        const auto limit = desk.curve("cache.belady")->curve.points;
        const int steps = desk.window.document().undoStack().index();
        auto* hard = desk.cache().settings().findChild<QSlider*>("hard-slider");
        hard->setFocus();
        hard->setSliderDown(true);
        for (const int tick : {900, 700, 500})
            hard->setValue(tick);
        hard->setSliderDown(false);
        QCOMPARE(desk.window.document().undoStack().index(), steps + 1); // one drag, one step
        auto* batch = desk.cache().settings().findChild<QDoubleSpinBox*>("evict-batch");
        batch->setFocus();
        QTest::keyClick(batch, Qt::Key_A, Qt::ControlModifier);
        QTest::keyClicks(batch, "20");
        QTest::keyClick(batch, Qt::Key_Return);
        QVERIFY(desk.idle());
        const Parameters rules = desk.choice().rules;
        QCOMPARE(rules.all().size(), std::size_t{2});
        const cache::CapacityRules asked = cache::rulesFrom(rules, sources->trace);
        QCOMPARE(asked.batch, std::uint64_t{20});
        QVERIFY(std::abs(asked.hard - 0.5) < 0.01);
        // every panel obeys them, as core does
        const auto* lru = desk.curve("cache.lru");
        const auto reference = cache::missRatioCurves(sources->trace, {{"cache.lru", {}}}, {.sizes = {lru->curve.points[9].size}, .rules = asked}, {});
        QCOMPARE(lru->curve.points[9].hits, reference.curves[0].points[0].hits);
        QVERIFY(lru->curve.points[9].hits < free[9].hits);
        QCOMPARE(desk.curve("cache.belady")->curve.points[9].hits, limit[9].hits); // it knows the future
        const auto inspected = cache::inspectSize(sources->trace, sources->next, {"cache.lru", {}}, size, {.rules = asked}, {});
        QVERIFY(desk.child<QLabel>("over-time-word")->text().contains(QString::number(100.0 * static_cast<double>(inspected.hits) / 100000, 'f', 2)));
        QVERIFY(desk.child<QLabel>("cacheHere")->text().contains("batches of 20"));
        QVERIFY(desk.steps().board()->playback().report()->rules.find("batches of 20") != std::string::npos);
        QVERIFY(desk.page().chart()->caption().contains("evict-batch 20"));
        desk.run("edit.undo");
        desk.run("edit.undo");
        QVERIFY(desk.idle());
        QVERIFY(desk.choice().rules == Parameters());
        QCOMPARE(desk.curve("cache.lru")->curve.points[9].hits, free[9].hits);
        QCOMPARE(hard->value(), hard->maximum());
    }
    void keptWithItsRules()
    {
        CacheDesk desk;
        QVERIFY(desk.openBundled());
        desk.cache().setRule("hard", 0.5, true);
        desk.run("cache.keep");
        desk.cache().setRule("hard", 1.0, true);
        QVERIFY(desk.idle());
        const auto& curves = desk.cache().curves();
        const auto kept = std::ranges::find_if(curves, [](const auto& each) { return each.kept == 0; });
        QVERIFY(kept != curves.end() && kept->title.contains("hard 0.5"));
        QCOMPARE(kept->curve.rules, std::string("hard 0.5, soft 0.5")); // room is made down to the soft limit, which is never above the hard one
        QVERIFY(desk.curve("cache.lru")->curve.rules.empty());
        QVERIFY(kept->curve.points[9].hits < desk.curve("cache.lru")->curve.points[9].hits);
    }
    void anIdThatTheTraceHasNot()
    {
        CacheDesk desk;
        QVERIFY(desk.openBundled());
        auto* field = desk.cache().settings().findChild<QLineEdit*>("protect");
        auto* problem = desk.cache().settings().findChild<QLabel*>("protect-problem");
        field->setFocus();
        QTest::keyClicks(field, "the, nosuchword");
        QTest::keyClick(field, Qt::Key_Return);
        QVERIFY(desk.idle());
        QVERIFY2(problem->text().contains("found 'nosuchword'"), qPrintable(problem->text()));
        QVERIFY(desk.child<QLabel>("cacheRefining")->text().contains("not computed"));
        QVERIFY(!desk.child<QPushButton>("stopCache")->isVisible());
        QTest::keyClick(field, Qt::Key_A, Qt::ControlModifier);
        QTest::keyClicks(field, "the, of");
        QTest::keyClick(field, Qt::Key_Return);
        QVERIFY(desk.idle());
        QVERIFY(problem->text().isEmpty());
        QCOMPARE(desk.curve("cache.lru")->curve.rules, std::string("2 protected"));
        QVERIFY(desk.curve("cache.belady")->title.contains("unit size only")); // it must take everybody in
    }
    void scenesAreResetAndSeen()
    {
        CacheDesk desk;
        QVERIFY(desk.openBundled());
        QByteArray lines; // hot sets that are left for another after 10 000 requests
        for (int i = 0, state = 1; i < 40000; ++i) {
            state = static_cast<int>((state * 1103515245LL + 12345) % 2147483648LL);
            lines += QByteArray::number(i / 10000 * 1000 + (state >> 8) % ((state >> 4) % 4 == 0 ? 900 : 60)) + '\n';
        }
        desk.cache().open(desk.file("scenes.txt", lines));
        QVERIFY(desk.waitFor([&] { return desk.cache().sources() && desk.cache().sources()->trace.name == "scenes.txt"; }));
        desk.window.document().change("lfu", {}, [](SessionState& state) { state.cache.policies = std::vector<std::string>{"cache.lfu"}; state.cache.policy = "cache.lfu"; state.cache.size = 120; });
        auto* signal = desk.cache().settings().findChild<QComboBox*>("scene-change");
        signal->setFocus();
        QTest::keyClick(signal, Qt::Key_Down);
        QTest::keyClick(signal, Qt::Key_Down);
        QVERIFY(desk.idle());
        QCOMPARE(std::get<std::string>(desk.choice().rules.value("scene-change")), std::string("new-objects"));
        const auto& drawn = desk.page().overTime()->series();
        QCOMPARE(drawn.size(), std::size_t{3});
        QCOMPARE(drawn[1].points.size(), drawn[0].points.size()); // with and without
        QVERIFY(drawn[2].name.find("scene change") != std::string::npos && drawn[2].points.size() >= 9);
        const auto hits = [](const report::Series& series) { double sum = 0; for (const auto& point : series.points) sum += point.y; return sum; };
        QVERIFY(hits(drawn[0]) > hits(drawn[1])); // counts of the scene before are of no use
        const QString word = desk.child<QLabel>("over-time-word")->text();
        QVERIFY2(word.contains("scene changes") && word.contains("without looking for them"), qPrintable(word));
        QVERIFY(!desk.page().table()->isColumnHidden(views::CurveTableModel::UnwatchedColumn));
        makeRoom(desk.window);
        savePicture(desk.window, "cache-scenes");
        desk.run("edit.undo"); // to hit-ratio, the step between
        desk.run("edit.undo");
        QVERIFY(desk.idle());
        QVERIFY(desk.page().table()->isColumnHidden(views::CurveTableModel::UnwatchedColumn));
        QCOMPARE(desk.page().overTime()->series().size(), std::size_t{1});
    }
    void aBoundIsNoCache()
    {
        CacheDesk desk;
        QVERIFY(desk.expose());
        desk.window.document().change("few", {}, [](SessionState& state) { state.cache.policies = std::vector<std::string>{"cache.lru"}; });
        QByteArray lines;
        for (int i = 0; i < 2000; ++i)
            lines += QByteArray::number(i * i % 97) + '\n';
        desk.cache().open(desk.file("squares.txt", lines));
        QVERIFY(desk.idle());
        desk.window.showLab(&desk.window.cachePanel());
        QSignalSpy failed(&desk.cache(), &CacheController::failed);
        desk.cache().setFocused("cache.sized-bound");
        QVERIFY(desk.idle());
        QVERIFY2(failed.isEmpty(), qPrintable(failed.value(0).value(0).toString()));
        const auto* bound = desk.curve("cache.sized-bound");
        QCOMPARE(bound->title, QStringLiteral("Limit for sizes"));
        QVERIFY(bound->curve.bound && bound->curve.limit && !bound->curve.points.empty());
        QVERIFY(!desk.child<QPushButton>("planCache")->isEnabled() && desk.child<QPushButton>("planCache")->toolTip().contains("bound"));
        QVERIFY(desk.page().overTime()->series().empty());
    }
    void stepByStep()
    {
        CacheDesk desk;
        QVERIFY(desk.openBundled());
        desk.run("cache.steps");
        QCOMPARE(desk.window.cachePanel().page(), QStringLiteral("steps"));
        desk.window.findChild<QSpinBox*>("stepCells")->setValue(24);
        desk.cache().setFocused("cache.lru");
        QVERIFY(desk.idle());
        const auto& playback = desk.steps().board()->playback();
        QTRY_VERIFY(playback.count() > 100);
        QCOMPARE(playback.report()->size, std::uint64_t{24});
        desk.steps().setFocus();
        for (int i = 0; i < 60; ++i)
            QTest::keyClick(&desk.steps(), Qt::Key_Right);
        QCOMPARE(desk.window.document().state().selection.cacheStep, 60);
        std::set<std::uint32_t> held;
        std::size_t used = 0;
        for (const std::uint32_t object : playback.cells())
            if (object != views::kFreeCell) {
                held.insert(object);
                ++used;
            }
        QCOMPARE(held.size(), used); // none twice
        QVERIFY(used <= 24);
        desk.window.document().change("beside", {}, [](SessionState& state) { state.cache.beside = "cache.lru-k"; });
        QVERIFY(desk.idle());
        QVERIFY(desk.steps().besideBoard()->isVisible());
        QCOMPARE(desk.steps().position(), 60);
        makeRoom(desk.window);
        savePicture(desk.window, "cache-steps");
    }
    void thePlanHasIt()
    {
        CacheDesk desk;
        QVERIFY(desk.openBundled());
        desk.cache().setFocused("cache.lru-k");
        desk.cache().setSize(500, true);
        desk.cache().setRule("soft", 0.75, true);
        QVERIFY(!desk.window.commands().action("cache.remove-plan")->isEnabled());
        QTest::mouseClick(desk.child<QPushButton>("planCache"), Qt::LeftButton);
        const auto& planned = desk.window.document().state().plannedCache;
        QVERIFY(planned);
        QCOMPARE(planned->size, std::uint64_t{500});
        QCOMPARE(planned->policy, std::string("cache.lru-k"));
        QVERIFY(planned->parameters.contains("k"));
        QCOMPARE(planned->rules.real("soft"), 0.75);
        QVERIFY(desk.child<QLabel>("plannedCache")->text().contains("soft 0.75"));
        QVERIFY(!desk.child<QPushButton>("planCache")->isEnabled()); // it has this already
        desk.window.showLab(desk.window.views().panel);
        auto* line = desk.child<QWidget>("cacheLine");
        QVERIFY(line && line->isVisible());
        desk.answer = desk.path("plan.json");
        desk.run("plan.save");
        QVERIFY(desk.idle());
        const plan::Plan saved = plan::readPlan(desk.path("plan.json").toStdString());
        QVERIFY(saved.cache && *saved.cache == *planned);
        QTest::mouseClick(desk.child<QToolButton>("cache-removeOfPlan"), Qt::LeftButton);
        QVERIFY(!desk.window.document().state().plannedCache && !line->isVisible());
        desk.cache().setSize(700, true);
        desk.cache().setRule("soft", 1.0, true);
        QVERIFY(desk.choice().rules == Parameters());
        desk.window.open(desk.path("plan.json"));
        QVERIFY(desk.window.document().state().plannedCache.has_value());
        QCOMPARE(desk.cache().size(), quint64{500});
        QCOMPARE(desk.choice().rules.real("soft"), 0.75);
        desk.run("edit.undo");
        QCOMPARE(desk.cache().size(), quint64{700});
        QVERIFY(desk.choice().rules == Parameters());
    }
    /// What the plan has of frames is listed beside its other parts, and taken out there.
    void reuseIsListedInThePlan()
    {
        CacheDesk desk;
        QVERIFY(desk.expose());
        desk.window.document().change(QStringLiteral("Put"), {}, [](SessionState& state) { state.plannedReuse = plan::PlannedReuse{"reuse.gate", {}, "motion", 0.5}; });
        desk.window.showLab(desk.window.views().panel);
        auto* remove = desk.child<QToolButton>("reuse-removeOfPlan");
        QVERIFY(remove && remove->isVisible());
        QTest::mouseClick(remove, Qt::LeftButton);
        QVERIFY(!desk.window.document().state().plannedReuse);
        QVERIFY(!remove->isVisible());
        desk.window.document().undoStack().undo();
        QVERIFY(desk.window.document().state().plannedReuse && remove->isVisible());
    }
    void theSessionBringsItBack()
    {
        CacheDesk desk;
        QVERIFY(desk.openBundled());
        desk.cache().setFocused("cache.lru-k");
        desk.cache().setSize(321, true);
        desk.run("cache.steps");
        desk.answer = desk.path("mine.tamis");
        desk.run("file.save");
        const SessionState saved = readSession(desk.path("mine.tamis").toStdString());
        QCOMPARE(saved.cache.size, std::uint64_t{321});
        CacheDesk other;
        QVERIFY(other.expose());
        other.window.open(desk.path("mine.tamis"));
        QVERIFY(other.idle());
        QVERIFY(other.choice() == saved.cache);
        QCOMPARE(other.cache().size(), quint64{321});
        QCOMPARE(other.window.cachePanel().page(), QStringLiteral("steps"));
        other.run("cache.close");
        QVERIFY(!other.cache().sources());
        QVERIFY(other.child<QPushButton>("openBundledTrace"));
        other.run("edit.undo"); // it is read again
        QVERIFY(other.idle());
        QVERIFY(other.cache().sources() != nullptr);
    }
    void failuresAreOneSentence()
    {
        CacheDesk desk;
        QVERIFY(desk.openBundled());
        const auto sources = desk.cache().sources();
        QSignalSpy failed(&desk.cache(), &CacheController::failed);
        desk.cache().open(desk.path("none.txt"));
        QVERIFY(desk.waitFor([&] { return !failed.isEmpty(); }));
        QVERIFY(failed[0][0].toString().contains("none.txt") && !failed[0][0].toString().contains('\n'));
        QCOMPARE(desk.cache().sources(), sources); // what was open stays
        QVERIFY(desk.choice().trace.ends_with("sotu-words.txt.gz"));
        desk.cache().open(desk.file("empty.txt", ""));
        QVERIFY(desk.waitFor([&] { return failed.size() == 2; }));
        QCOMPARE(desk.cache().sources(), sources);
    }
    void curvesAreSavedAsJson()
    {
        CacheDesk desk;
        QVERIFY(desk.openBundled());
        desk.answer = desk.path("curves.json");
        QTest::mouseClick(desk.child<QPushButton>("exportCurvesJson"), Qt::LeftButton);
        QVERIFY(desk.idle());
        QFile file(desk.path("curves.json"));
        QVERIFY(file.open(QIODevice::ReadOnly));
        const QJsonObject root = QJsonDocument::fromJson(file.readAll()).object();
        QCOMPARE(root["requests"].toInt(), 100000);
        QCOMPARE(root["curves"].toArray().size(), 3);
        const QJsonObject lru = root["curves"].toArray()[0].toObject();
        QCOMPARE(lru["policy"].toString(), QStringLiteral("cache.lru"));
        QCOMPARE(lru["hits"].toArray().size(), lru["sizes"].toArray().size());
        QCOMPARE(lru["hits"].toArray()[3].toInt(), static_cast<int>(desk.curve("cache.lru")->curve.points[3].hits));
        desk.answer = desk.path("curves.csv");
        emit desk.page().chart()->exportRequested(QStringLiteral("csv"));
        QFile csv(desk.path("curves.csv"));
        QVERIFY(csv.open(QIODevice::ReadOnly));
        QVERIFY(csv.readLine().startsWith("# sotu-words.txt.gz: 100000 requests"));
    }
    void lightDarkAndLarge()
    {
        if (qEnvironmentVariable("TAMIS_SHOTS").isEmpty())
            QSKIP("no pictures are asked for");
        CacheDesk desk;
        QVERIFY(desk.openBundled());
        desk.cache().setFocused("cache.lru-k");
        makeRoom(desk.window);
        QVERIFY(desk.idle());
        for (const auto mode : {views::Theme::Mode::Dark, views::Theme::Mode::Light}) {
            views::Theme::instance().apply(*qApp, mode);
            for (const char* page : {"cache.curves", "cache.steps"}) {
                desk.run(page);
                QTest::qWait(300);
                savePicture(desk.window, QString::fromLatin1(page) + (mode == views::Theme::Mode::Dark ? "-dark" : "-light"));
            }
        }
    }
};

QTEST_MAIN(TstCacheController)
#include "tst_cache_controller.moc"
