// SPDX-License-Identifier: GPL-3.0-or-later
// The frame player in the window: opened by itself, run as core runs it, live while a slider is dragged, kept, compared, planned, stopped.
#include "app/window/reuse_controller.h"

#include "app/samples/frame_folder.h"
#include "core/reuse/method.h"
#include "core/reuse/run_reuse.h"
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"
#include "views/reuse/frame_view.h"
#include "views/reuse/frames_page.h"
#include "views/reuse/reuse_frontier.h"
#include "views/reuse/reuse_run_model.h"
#include "views/reuse/reuse_settings.h"
#include "views/reuse/transport_bar.h"

#include <QApplication>
#include <QElapsedTimer>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QSlider>
#include <QTemporaryDir>
#include <QTest>
#include <QToolButton>

#include <algorithm>
#include <filesystem>

using namespace tamis;
using namespace tamis::app;
using Reads = ReuseController::Reads;

namespace {
namespace fs = std::filesystem;
fs::path dataset(const char* name) { return fs::path(TAMIS_SOURCE_DIR "/datasets") / name; }

/// The page with its settings beside it, and everything that the controller works with. Questions are answered by the test.
struct FramesDesk {
    static constexpr int kSettled = 60000; ///< milliseconds that are waited at most
    QTemporaryDir directory;
    QString answer; ///< to the next question for a directory
    FileQuestions ask;
    SessionDocument document;
    JobQueue jobs;
    QWidget window;
    views::FramesPage* page;
    QStringList written; ///< names of figures
    std::unique_ptr<ReuseController> controller;

    FramesDesk() : page(new views::FramesPage)
    {
        ask.openDirectory = [this](const QString&) { return answer; };
        auto* row = new QHBoxLayout(&window);
        row->addWidget(page, 1);
        row->addWidget(page->settings());
        page->settings()->setFixedWidth(290);
        page->settings()->show();
        window.resize(1500, 860);
        window.show();
        controller = std::make_unique<ReuseController>(
            ReuseNeighbours{document, jobs, ask, [this](const views::Figure& figure, views::FigureFormat, const QString& name) {
                                written << name + QLatin1Char(':') + figure.figureCaption();
                            }},
            *page);
    }
    void open(const char* model, Reads reads)
    {
        controller->setModel(std::make_shared<RunnableModel>(openWorkspace(dataset(model), {}, {})), reads);
    }
    template <class Condition> bool waitFor(Condition condition) const { return QTest::qWaitFor(condition, kSettled); }
    bool whole() const { return waitFor([this] { return controller->isUpToDate(); }); }
    template <class T> T* child(const char* name) { return window.findChild<T*>(QLatin1String(name)); }
    void click(const char* name) { QTest::mouseClick(child<QAbstractButton>(name), Qt::LeftButton); }
    void set(const char* name, ParameterValue value)
    {
        document.change(QStringLiteral("set"), {}, [&](SessionState& state) {
            state.reuse.setting.method = reuse::methods().front().declaration.id;
            state.reuse.setting.parameters.set(name, value);
        });
    }
    QString path(const char* name) const { return directory.filePath(QLatin1String(name)); }
    /// The first frames of the bundled sequence in a folder of their own.
    QString some(const char* name, int count) const
    {
        const fs::path folder = path(name).toStdString();
        fs::create_directories(folder);
        for (int i = 0; i < count; ++i) {
            const std::string file = QStringLiteral("frame%1.jpg").arg(i, 2, 10, QLatin1Char('0')).toStdString();
            fs::copy_file(dataset("motion") / file, folder / file);
        }
        return path(name);
    }
};
} // namespace

class TstReuseController : public QObject {
    Q_OBJECT

private slots:
    void refusedWithAReason()
    {
        FramesDesk desk;
        QVERIFY(QTest::qWaitForWindowExposed(&desk.window));
        QCOMPARE(desk.controller->disabledReason(), QString("no model is open"));
        auto* empty = desk.child<views::PlaceholderPanel>("framesEmpty");
        QVERIFY(empty->isVisible());
        QVERIFY(!desk.child<QPushButton>("compareReuse")->isEnabled() && !desk.child<QPushButton>("keepReuseRun")->isEnabled() && !desk.child<QPushButton>("planReuse")->isEnabled());
        QVERIFY(desk.child<QLabel>("reuseReason")->text().contains("no model is open"));
        desk.open("vit20", Reads::Unknown);
        QCOMPARE(desk.controller->disabledReason(), QString("no model is open"));
        desk.open("tinylm", Reads::Text);
        QCOMPARE(desk.controller->disabledReason(), QString("this model reads no images"));
        QVERIFY(empty->isVisible() && !desk.controller->sources());
        QVERIFY(!desk.jobs.isRunning());
        QSignalSpy failed(desk.controller.get(), &ReuseController::failed);
        desk.controller->compare();
        desk.controller->keep();
        desk.controller->putIntoPlan();
        QCOMPARE(failed.size(), 3);
        QVERIFY(desk.document.undoStack().count() == 0);
    }

    void nothingHappensOutOfSight()
    {
        FramesDesk desk;
        desk.page->hide();
        desk.open("vit20", Reads::Images);
        QTest::qWait(100);
        QVERIFY(!desk.jobs.isRunning() && desk.jobs.jobs().empty() && !desk.controller->sources());
        desk.page->show();
        QVERIFY(desk.whole());
    }

    void theBundledSequenceAsCoreRunsIt()
    {
        FramesDesk desk;
        desk.open("vit20", Reads::Images);
        QVERIFY(desk.whole());
        const auto& sources = *desk.controller->sources();
        QCOMPARE(sources.files.size(), std::size_t{60});
        QCOMPARE(sources.sceneCuts, (std::vector<int>{30})); // as motion.tsv says
        const auto& shown = *desk.controller->shown();
        QCOMPARE(shown.of->frameCount, 60);
        // The same without the window. Times differ; nothing else does.
        const auto sequence = openFrames({.folder = dataset("motion")}, dataset("vit20"), *sources.model, {});
        const std::vector<reuse::Configuration> configurations{{reuse::methods().front().declaration.id, {}}};
        const auto expected = reuse::runReuse(sources.model, sequence, configurations, {}, {});
        QCOMPARE(shown.runs.size(), expected.runs.size());
        for (std::size_t run = 0; run < shown.runs.size(); ++run) {
            QCOMPARE(shown.runs[run]->title, expected.runs[run].title);
            QCOMPARE(shown.runs[run]->macsShare, expected.runs[run].macsShare);
            QCOMPARE(shown.runs[run]->meanError, expected.runs[run].meanError);
            for (std::size_t i = 0; i < 60; ++i) {
                QVERIFY(shown.runs[run]->frames[i].patches == expected.runs[run].frames[i].patches);
                QCOMPARE(shown.runs[run]->frames[i].macs, expected.runs[run].frames[i].macs);
            }
        }
        QVERIFY(shown.runs.back()->trivial);
        // Seen: the picture of the frame, and its patches.
        QVERIFY(desk.waitFor([&] { return !desk.page->view()->photo().isNull(); }));
        const QImage first = desk.page->view()->photo();
        desk.click("nextFrame");
        QCOMPARE(desk.document.state().selection.reuseFrame, std::int64_t{1});
        QVERIFY(desk.waitFor([&] { return desk.page->view()->photo() != first; }));
        QVERIFY(desk.page->view()->frame()->patches == expected.runs[0].frames[1].patches);
        // Back to where the session says.
        desk.document.select([](Selection& selection) { selection.reuseFrame = 41; });
        QCOMPARE(desk.page->frame(), 41);
        // Played: frames go by on their own until paused.
        desk.controller->togglePlay();
        QVERIFY(desk.waitFor([&] { return desk.page->frame() >= 44; }));
        desk.controller->togglePlay();
        const int still = desk.page->frame();
        QTest::qWait(250);
        QCOMPARE(desk.page->frame(), still);
        QCOMPARE(desk.document.state().selection.reuseFrame, static_cast<std::int64_t>(still));
        // Exported with the settings.
        emit desk.page->findChild<views::ExportButton*>("export-timeline")->exportRequested(views::FigureFormat::Csv);
        QCOMPARE(desk.written.size(), 1);
        QVERIFY(desk.written[0].startsWith("frames-timeline:vit20 on motion: ") && desk.written[0].contains("threshold"));
    }

    void sliderIsLiveAndOneUndoStep()
    {
        FramesDesk desk;
        desk.open("vit20", Reads::Images);
        QVERIFY(desk.whole());
        desk.document.select([](Selection& selection) { selection.reuseFrame = 20; });
        const double before = desk.controller->shown()->runs.front()->macsShare;
        const int steps = desk.document.undoStack().count();
        auto* slider = desk.page->settings()->findChild<QSlider*>("threshold-slider");
        QVERIFY(slider);
        // Dragged with the mouse: several values, one step.
        const auto counts = desk.controller->lane().counts();
        QElapsedTimer clock;
        QSignalSpy shown(desk.controller.get(), &ReuseController::pictureShown);
        clock.start();
        slider->setSliderDown(true);
        for (int i = 1; i <= 3; ++i)
            slider->setSliderPosition(slider->value() + (slider->maximum() - slider->value()) / 2);
        QVERIFY(desk.waitFor([&] { return !shown.isEmpty(); }));
        qInfo("first picture after %lld ms", static_cast<long long>(clock.elapsed())); // a figure, not a bound: the machine may be busy
        QVERIFY(desk.page->view()->frame()); // the frame that is looked at has come first
        QVERIFY(desk.child<QLabel>("frameLabels")->text().startsWith("Decided:")); // before any block has run
        slider->setSliderDown(false);
        QVERIFY(desk.whole());
        QVERIFY(desk.controller->lane().counts().requests > counts.requests);
        QCOMPARE(desk.document.undoStack().count(), steps + 1);
        QVERIFY(desk.controller->shown()->runs.front()->macsShare < before); // a larger threshold computes less
        desk.document.undoStack().undo();
        QVERIFY(desk.whole());
        QCOMPARE(desk.controller->shown()->runs.front()->macsShare, before);
    }

    void keptComparedForgotten()
    {
        FramesDesk desk;
        const QString folder = desk.some("few", 6);
        desk.open("vit20", Reads::Images);
        desk.answer = folder;
        desk.controller->askAndOpen();
        QVERIFY(desk.waitFor([&] { return desk.controller->sources() && desk.controller->sources()->files.size() == 6; }));
        QVERIFY(desk.whole());
        auto* keep = desk.child<QPushButton>("keepReuseRun");
        QVERIFY(desk.waitFor([&] { return keep->isEnabled(); }));
        QTest::mouseClick(keep, Qt::LeftButton);
        QCOMPARE(desk.document.state().reuse.kept.size(), std::size_t{1});
        QVERIFY(!keep->isEnabled() && desk.controller->keepDisabledReason() == "it is kept already");
        QCOMPARE(desk.controller->shown()->runs.size(), std::size_t{4}); // asked, kept, two trivial ones
        QCOMPARE(desk.controller->shown()->runs[1]->macsShare, desk.controller->shown()->runs[0]->macsShare);
        QTest::mouseClick(desk.child<QPushButton>("compareReuse"), Qt::LeftButton);
        QVERIFY(desk.child<QPushButton>("stopReuse")->isVisible());
        QVERIFY(QTest::qWaitFor([&] { return !desk.jobs.isRunning(); }, 240'000));
        std::size_t methods = 0;
        for (const auto& method : reuse::methods())
            methods += method.frames ? 0 : 1;
        QVERIFY(desk.waitFor([&] { return desk.controller->shown()->runs.size() == 1 + methods + 2; }));
        QVERIFY(desk.waitFor([&] { // what was posted last has come
            return std::ranges::none_of(desk.controller->shown()->runs, [](const auto& run) { return run->failure.starts_with("not run"); });
        }));
        QCOMPARE(desk.page->runs()->rowCount(), static_cast<int>(1 + methods + 2));
        // A kept run's settings become the asked ones by a double click.
        auto* table = desk.page->table();
        const QModelIndex second = table->fromSource(desk.page->runs()->index(2, 0));
        table->scrollTo(second);
        QTest::mouseClick(table->viewport(), Qt::LeftButton, {}, table->visualRect(second).center());
        QTest::mouseDClick(table->viewport(), Qt::LeftButton, {}, table->visualRect(second).center());
        QCOMPARE(desk.document.state().reuse.setting, desk.document.state().reuse.kept[1]);
        desk.click("forgetReuseRuns");
        QVERIFY(desk.document.state().reuse.kept.empty());
        desk.document.undoStack().undo();
        QCOMPARE(desk.document.state().reuse.kept.size(), methods);
    }

    /// The key over its radius: kept in one step, run, and shown as false hits against misses.
    void keysAreSwept()
    {
        FramesDesk desk;
        desk.answer = desk.some("few", 6);
        desk.open("vit20", Reads::Images);
        desk.controller->askAndOpen();
        QVERIFY(desk.waitFor([&] { return desk.controller->sources() && desk.controller->sources()->files.size() == 6; }));
        QVERIFY(desk.whole());
        auto* sweep = desk.child<QPushButton>("sweepReuseKey");
        QVERIFY(!sweep->isVisible()); // a gate has no key
        QCOMPARE(desk.controller->sweepDisabledReason(), QString("the method has no key"));
        desk.document.change("method", {}, [](SessionState& state) { state.reuse.setting = {"reuse.content-key", {}}; });
        QVERIFY(desk.whole());
        QVERIFY(sweep->isVisible() && sweep->isEnabled());
        const int steps = desk.document.undoStack().count();
        QTest::mouseClick(sweep, Qt::LeftButton);
        QCOMPARE(desk.document.undoStack().count(), steps + 1);
        const auto count = desk.document.state().reuse.kept.size();
        QVERIFY(count > 4);
        QVERIFY(QTest::qWaitFor([&] { return !desk.jobs.isRunning(); }, 240'000));
        QVERIFY(desk.waitFor([&] {
            return std::ranges::all_of(desk.controller->shown()->runs, [](const auto& run) { return run->failure.empty(); });
        }));
        const auto& runs = desk.controller->shown()->runs;
        for (std::size_t i = 1; i <= count; ++i) {
            QCOMPARE(runs[i]->hits + runs[i]->misses, std::uint64_t{6});
            QVERIFY(i == 1 || runs[i]->misses <= runs[i - 1]->misses); // a wider radius misses less
        }
        QCOMPARE(desk.page->frontier()->loss(), views::ReuseLoss::FalseHits);
        QCOMPARE(desk.page->frontier()->shownPoints(), static_cast<int>(count + 1)); // those that drop frames look nothing up
    }

    void whatASessionKeptIsRunByItself()
    {
        FramesDesk desk;
        const QString folder = desk.some("few", 4);
        ReuseSetting other{reuse::methods().front().declaration.id, {}};
        other.parameters.set("threshold", 0.7);
        desk.document.change("as a session has it", {}, [&](SessionState& state) {
            state.reuse.frames = folder.toStdString();
            state.reuse.kept = {other};
        });
        desk.open("vit20", Reads::Images);
        QVERIFY(desk.whole());
        QVERIFY(desk.waitFor([&] { return desk.controller->shown()->runs.size() == 4 && desk.controller->shown()->runs[1]->failure.empty(); }));
        QCOMPARE(desk.controller->shown()->runs[1]->frames.size(), std::size_t{4});
        const auto jobs = desk.jobs.jobs().size();
        desk.set("threshold", 0.5);
        QVERIFY(desk.whole());
        QCOMPARE(desk.jobs.jobs().size(), jobs); // it is there: not run again
        // Partial results copy nothing of it.
        const auto* kept = desk.controller->shown()->runs[1].get();
        desk.set("threshold", 0.6);
        QVERIFY(desk.whole());
        QCOMPARE(desk.controller->shown()->runs[1].get(), kept);
    }

    void aFailedRunIsNotAboutToBeReplaced()
    {
        FramesDesk desk;
        desk.answer = desk.some("few", 4);
        desk.open("vit20", Reads::Images);
        desk.controller->askAndOpen();
        QVERIFY(desk.waitFor([&] { return desk.controller->sources() && desk.controller->sources()->files.size() == 4; }));
        QVERIFY(desk.whole());
        QVERIFY(!desk.page->view()->isStale());
        QSignalSpy failed(desk.controller.get(), &ReuseController::failed);
        desk.set("threshold", -1.0); // out of its range
        QVERIFY(desk.page->view()->isStale());
        QVERIFY(desk.waitFor([&] { return !failed.isEmpty(); }));
        QVERIFY(!desk.page->view()->isStale() && !desk.controller->isUpToDate());
        desk.set("threshold", 0.5);
        QVERIFY(desk.page->view()->isStale());
        QVERIFY(desk.whole());
        QVERIFY(!desk.page->view()->isStale());
    }

    void planned()
    {
        FramesDesk desk;
        desk.open("vit20", Reads::Images);
        QVERIFY(desk.whole());
        QTest::mouseClick(desk.child<QPushButton>("planReuse"), Qt::LeftButton);
        const auto& planned = desk.document.state().plannedReuse;
        QVERIFY(planned);
        QCOMPARE(planned->method, reuse::methods().front().declaration.id);
        QCOMPARE(planned->sequence, std::string("motion"));
        QCOMPARE(planned->macsShare, desk.controller->shown()->runs.front()->macsShare);
        QVERIFY(planned->parameters == reuse::methods().front().declaration.schema.defaults());
        QVERIFY(!desk.child<QPushButton>("planReuse")->isEnabled());
        QVERIFY(desk.child<QLabel>("reusePlanned")->text().contains("this"));
        desk.set("threshold", 0.7); // the plan keeps what it has
        QVERIFY(desk.child<QPushButton>("planReuse")->isEnabled());
        QVERIFY(desk.document.state().plannedReuse->parameters == reuse::methods().front().declaration.schema.defaults());
        desk.click("unplanReuse");
        QVERIFY(!desk.document.state().plannedReuse);
        desk.document.undoStack().undo();
        QVERIFY(desk.document.state().plannedReuse.has_value());
    }

    void foldersThatWillNotDo()
    {
        FramesDesk desk;
        desk.open("vit20", Reads::Images);
        QSignalSpy failed(desk.controller.get(), &ReuseController::failed);
        std::filesystem::create_directories(desk.path("empty").toStdString());
        desk.controller->openFrames(desk.path("empty"));
        QVERIFY(desk.waitFor([&] { return !failed.isEmpty(); }));
        QVERIFY(failed[0][0].toString().contains("empty"));
        QVERIFY(!desk.controller->sources());
        QVERIFY(desk.child<views::PlaceholderPanel>("framesEmpty")->isVisible());
        desk.controller->openBundled();
        QVERIFY(desk.whole());
        QVERIFY(!desk.child<views::PlaceholderPanel>("framesEmpty")->isVisible());
        // Closed: what was run is forgotten.
        desk.controller->setModel(nullptr, Reads::Unknown);
        QVERIFY(!desk.controller->sources() && !desk.controller->shown() && desk.page->transport()->frameCount() == 0);
    }

    void stopped()
    {
        FramesDesk desk;
        desk.open("vit20", Reads::Images);
        QVERIFY(desk.whole());
        for (int i = 0; i < 3; ++i) {
            desk.set("threshold", 0.3 + 0.1 * i);
            QVERIFY(desk.controller->lane().isBusy());
            QElapsedTimer clock;
            clock.start();
            desk.controller->stop();
            QVERIFY(desk.waitFor([&] { return !desk.controller->lane().isBusy(); }));
            qInfo("stopped after %lld ms", static_cast<long long>(clock.elapsed()));
            QVERIFY(!desk.controller->isUpToDate());
        }
        desk.set("threshold", 0.9);
        QVERIFY(desk.whole()); // the next edit starts anew
    }

    /// With TAMIS_SHOTS=<folder> alone: the page with the bundled model and frames, in the theme of TAMIS_THEME (1 light, 2 dark).
    void pictureOfThePage()
    {
        if (!qEnvironmentVariableIsSet("TAMIS_SHOTS"))
            QSKIP("pictures are taken on request");
        views::Theme::instance().apply(*qApp, static_cast<views::Theme::Mode>(qEnvironmentVariableIntValue("TAMIS_THEME")));
        FramesDesk desk;
        desk.open("vit20", Reads::Images);
        QVERIFY(desk.whole());
        desk.controller->compare();
        QVERIFY(QTest::qWaitFor([&] { return !desk.jobs.isRunning(); }, 240'000));
        const std::string moving = qEnvironmentVariable("TAMIS_REUSE", "").toStdString();
        if (!moving.empty()) {
            desk.document.change("method", {}, [&](SessionState& state) { state.reuse.setting = {moving, {}}; });
            QVERIFY(desk.whole());
        }
        desk.document.select([](Selection& selection) { selection.reuseFrame = 34; });
        QTest::qWait(500);
        desk.window.grab().save(qEnvironmentVariable("TAMIS_SHOTS") + QStringLiteral("/cache-frames.png"));
    }
};

QTEST_MAIN(TstReuseController)
#include "tst_reuse_controller.moc"
