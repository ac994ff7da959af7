// SPDX-License-Identifier: GPL-3.0-or-later
// The window as a user meets it: real mouse and key events on the bundled model.
#include "app/session/session_file.h"
#include "core/base/atomic_file.h"
#include "core/plan/plan.h"
#include "tests/app/window/desk.h"
#include "views/common/chart_canvas.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"
#include "views/plan/cost_header.h"
#include "views/plan/operating_points.h"
#include "views/spectrum/landscape_view.h"
#include "views/spectrum/spectrum_panel.h"
#include "views/spectrum/spectrum_table.h"
#include "views/spectrum/spectrum_table_model.h"

#include <QApplication>
#include <QDir>
#include <QDragEnterEvent>
#include <QDropEvent>
#include <QElapsedTimer>
#include <QLineEdit>
#include <QMimeData>
#include <QSettings>
#include <QSlider>
#include <QTest>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

namespace {
const QString kModel = dataset("vit20");

struct WindowDesk : Desk {
    const report::BudgetReport& budget() { return window.spectrum().picture()->budget; }
};
} // namespace

class TstMainWindow : public QObject
{
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_main_window"); }
private slots:
    void init()
    {
        QSettings().clear();
        views::Theme::instance().apply(*qApp, views::Theme::Mode::Light);
    }
    void theBundledModelShowsItsSpectra()
    {
        WindowDesk desk;
        QVERIFY(desk.open(kModel));
        auto* model = desk.window.views().panel->table()->model();
        QCOMPARE(model->rowCount(), 27);
        QVERIFY(!desk.window.views().panel->chart()->series().empty());
        QVERIFY(desk.window.windowTitle().startsWith(QStringLiteral("vit20")));
        QVERIFY(desk.budget().after.parameters < desk.budget().before.parameters);
        QTest::qWait(200); // the legend is laid out after the first drawing
        savePicture(desk.window, QStringLiteral("window-light"));
        views::Theme::instance().apply(*qApp, views::Theme::Mode::Dark);
        QTest::qWait(100);
        savePicture(desk.window, QStringLiteral("window-dark"));
    }
    void draggingTheKeepSliderMovesEveryNumber()
    {
        WindowDesk desk;
        QVERIFY(desk.open(kModel));
        auto* slider = desk.child<QSlider>("keepSlider");
        QVERIFY(slider);
        const auto before = desk.budget();
        const int coarseBefore = desk.window.spectrum().lane().counts().coarse;
        const double fraction = (slider->value() - slider->minimum()) / double(slider->maximum() - slider->minimum());
        const int grip = 8;
        const auto at = [&](double f) { return QPoint(int(grip + f * (slider->width() - 2 * grip)), slider->height() / 2); };
        QElapsedTimer sinceTick;
        qint64 longest = 0;
        QTimer ticker;
        connect(&ticker, &QTimer::timeout, this, [&] { longest = std::max(longest, sinceTick.restart()); });
        sinceTick.start();
        ticker.start(1);
        QTest::mousePress(slider, Qt::LeftButton, {}, at(fraction));
        const auto pictures = [&] { return desk.window.spectrum().lane().counts().coarse - coarseBefore; };
        int events = 0; // a busy machine may take four times the events: to and fro
        for (; events < 240 && (events < 60 || pictures() < 10); ++events) {
            QTest::mouseMove(slider, at(fraction - 0.35 * (events / 60 % 2 ? 60 - events % 60 : events % 60 + 1) / 60));
            QTest::qWait(8);
        }
        const int whileDragging = pictures();
        QTest::mouseMove(slider, at(fraction - 0.35));
        QTest::mouseRelease(slider, Qt::LeftButton, {}, at(fraction - 0.35));
        QVERIFY(desk.settled());
        qInfo("pictures during %d slider events: %d; longest pause of the window's thread %lld ms", events, whileDragging, static_cast<long long>(longest));
        QVERIFY2(whileDragging >= 10, "fewer than 10 pictures while dragging");
        const auto& after = desk.budget();
        QVERIFY(after.keep < before.keep - 0.2);
        QVERIFY(after.after.parameters < before.after.parameters);
        QVERIFY(after.after.bytes < before.after.bytes);
        QVERIFY(after.after.macs < before.after.macs);
        QVERIFY(after.predictedLoss > before.predictedLoss);
        QCOMPARE(desk.window.document().undoStack().count(), 1); // one drag, one step
        QTest::keyClick(&desk.window, Qt::Key_Z, Qt::ControlModifier);
        QVERIFY(desk.settled());
        QCOMPARE(desk.budget().keep, before.keep);
        QCOMPARE(desk.budget().after.parameters, before.after.parameters);
    }
    void draggingTheRankLineWritesTheRank()
    {
        WindowDesk desk;
        QVERIFY(desk.open(kModel));
        auto* panel = desk.window.views().panel;
        auto* chart = panel->chart();
        QVERIFY(chart->cursor().has_value());
        auto* viewport = chart->canvas()->viewport();
        const auto at = [&](double rank) {
            return viewport->mapFrom(chart, QPoint(int(chart->toPixel(rank, 1).x()), int(chart->plotArea().center().y())));
        };
        const double from = *chart->cursor();
        QTest::mousePress(viewport, Qt::LeftButton, {}, at(from));
        for (double rank = from; rank <= 90; rank += 4)
            QTest::mouseMove(viewport, at(rank));
        QTest::mouseMove(viewport, at(90));
        QTest::mouseRelease(viewport, Qt::LeftButton, {}, at(90));
        QVERIFY(desk.settled());
        const auto& overrides = desk.window.document().state().settings.budget.overrides;
        QCOMPARE(overrides.size(), std::size_t{1});
        const auto rank = overrides.begin()->second.rank;
        QVERIFY(rank && std::abs(double(*rank) - 90) <= 1); // a pixel is about half a rank
        QVERIFY(overrides.begin()->first == panel->current().toStdString());
    }
    void aRidgeRecomputesAndKeepsTheSettingWithTheResult()
    {
        WindowDesk desk;
        QVERIFY(desk.open(kModel));
        const double loss = desk.budget().predictedLoss;
        desk.window.document().change(QStringLiteral("ridge"), {}, [](SessionState& s) { s.settings.parameters.set("ridge", 0.5); });
        QVERIFY(!desk.window.spectrum().isUpToDate());
        QVERIFY(desk.settled());
        QCOMPARE(desk.window.spectrum().picture()->request.parameters.real("ridge"), 0.5);
        QVERIFY(desk.budget().predictedLoss > loss); // a ridge gives up calibration loss
    }
    void thePaletteKeepsAPointAndThePointBringsItBack()
    {
        WindowDesk desk;
        QVERIFY(desk.open(kModel));
        QTest::keyClick(&desk.window, Qt::Key_K, Qt::ControlModifier);
        auto* input = desk.child<QLineEdit>("commandInput");
        QTRY_VERIFY(input->isVisible());
        QTest::keyClicks(input, QStringLiteral("keep this"));
        QTest::keyClick(input, Qt::Key_Return);
        QCOMPARE(desk.window.document().state().points.size(), std::size_t{1});
        QVERIFY(!input->isVisible());
        const auto kept = desk.window.document().state().settings;
        desk.window.document().change(QStringLiteral("keep"), {}, [](SessionState& s) { s.settings.budget.keep = 0.2; });
        QVERIFY(desk.settled());
        emit desk.window.views().points->restoreRequested(0);
        QVERIFY(desk.settled());
        QVERIFY(desk.window.document().state().settings == kept);
    }
    void sessionsComeBackAsTheyWere()
    {
        WindowDesk desk;
        QVERIFY(desk.open(kModel));
        desk.window.document().change(QStringLiteral("x"), {}, [](SessionState& s) {
            s.settings.budget.keep = 0.35;
            s.settings.budget.allocation = plan::Allocation::Energy;
            s.settings.budget.overrides["blocks.1.mlp.fc2"] = {17, true};
        });
        QVERIFY(desk.settled());
        desk.answer = desk.path("work.tamis");
        QTest::keyClick(&desk.window, Qt::Key_S, Qt::ControlModifier);
        QVERIFY(QFile::exists(desk.answer));
        QVERIFY(!desk.window.document().isModified());
        const auto state = desk.window.document().state();
        const auto parameters = desk.budget().after.parameters;
        WindowDesk other;
        QVERIFY(other.open(desk.answer));
        QVERIFY(other.window.document().state() == state);
        QCOMPARE(other.budget().after.parameters, parameters);
    }
    void aPlanGoesOutAndComesBack()
    {
        WindowDesk desk;
        QVERIFY(desk.open(kModel));
        desk.window.document().change(QStringLiteral("x"), {}, [](SessionState& s) {
            s.settings.budget.keep = 0.45;
            s.settings.budget.accounting = plan::Accounting::BlockIdentity;
        });
        QVERIFY(desk.settled());
        desk.answer = desk.path("plan.json");
        desk.window.commands().trigger(QStringLiteral("plan.save"));
        QVERIFY(desk.settled());
        const auto plan = plan::readPlan(desk.answer.toStdString());
        QCOMPARE(plan.cost.parameters, desk.budget().after.parameters);
        desk.window.document().change(QStringLiteral("x"), {}, [](SessionState& s) { s.settings.budget = {}; });
        desk.window.open(desk.answer);
        QVERIFY(desk.settled());
        QVERIFY(desk.window.document().state().settings.budget == plan.budget);
        QCOMPARE(desk.budget().after.parameters, plan.cost.parameters);
    }
    void exportWritesAVerifiedDirectory()
    {
        WindowDesk desk;
        QVERIFY(desk.open(kModel));
        desk.answer = desk.path("exported");
        desk.window.commands().trigger(QStringLiteral("plan.export"));
        QVERIFY(desk.settled());
        QVERIFY2(desk.window.jobs().jobs().back().state == JobState::Finished, qPrintable(desk.window.jobs().jobs().back().message));
        for (const char* file : {"factors.safetensors", "model.safetensors", "recipe.json"})
            QVERIFY2(QFile::exists(desk.answer + QLatin1Char('/') + QLatin1String(file)), file);
    }
    void picturesCarryTheirSettings()
    {
        WindowDesk desk;
        QVERIFY(desk.open(kModel));
        desk.answer = desk.path("chart.csv");
        desk.window.commands().trigger(QStringLiteral("file.chart-csv"));
        QFile table(desk.answer);
        QVERIFY(table.open(QIODevice::ReadOnly));
        const QByteArray text = table.readAll();
        QVERIFY2(text.startsWith("# ") && text.contains("spectrum.whitened") && text.contains("keep 60 %"), text.left(200).constData());
        QVERIFY(text.contains("blocks.0.attn.qkv"));
        desk.answer = desk.path("landscape.png");
        desk.window.commands().trigger(QStringLiteral("file.landscape-png"));
        const QImage landscape(desk.answer);
        QVERIFY(landscape.width() > 200 && landscape.height() > 100);
        desk.answer = desk.path("no-such-directory/chart.svg");
        desk.window.commands().trigger(QStringLiteral("file.chart-svg"));
        QVERIFY(desk.window.notice().isVisible() && desk.window.notice().text().contains(QStringLiteral("no-such-directory")));
    }
    void aBrokenFileLeavesTheWorkAsItWas()
    {
        WindowDesk desk;
        QVERIFY(desk.open(kModel));
        const auto state = desk.window.document().state();
        const auto workspace = desk.window.workspaces().workspace();
        writeFileAtomically(desk.path("broken.safetensors").toStdString(), "not a checkpoint");
        desk.window.open(desk.path("broken.safetensors"));
        QVERIFY(desk.settled());
        QVERIFY(desk.window.notice().isVisible());
        QVERIFY(desk.window.notice().text().contains(QStringLiteral("broken.safetensors")));
        QVERIFY(desk.window.workspaces().workspace() == workspace);
        QVERIFY(desk.window.document().state() == state);
    }
    void droppingADirectoryOpensIt()
    {
        WindowDesk desk;
        QVERIFY(QTest::qWaitForWindowExposed(&desk.window));
        QMimeData files;
        files.setUrls({QUrl::fromLocalFile(kModel)});
        QDragEnterEvent enter(QPoint(50, 50), Qt::CopyAction, &files, Qt::LeftButton, {});
        QCoreApplication::sendEvent(&desk.window, &enter);
        QVERIFY(enter.isAccepted());
        QDropEvent drop(QPointF(50, 50), Qt::CopyAction, &files, Qt::LeftButton, {});
        QCoreApplication::sendEvent(&desk.window, &drop);
        QVERIFY(desk.settled());
        QTRY_VERIFY(desk.window.workspaces().workspace());
        QCOMPARE(desk.window.recentFiles().paths(), QStringList{kModel});
    }
    void aModelWithoutCalibrationFallsBackToThePlainSpectrum()
    {
        WindowDesk desk;
        QVERIFY(QDir().mkpath(desk.path("bare")));
        QVERIFY(QFile::copy(kModel + QStringLiteral("/model.safetensors"), desk.path("bare/model.safetensors")));
        QVERIFY(desk.open(desk.path("bare")));
        QVERIFY(desk.window.spectrum().picture()->request.method == "spectrum.plain");
    }
    void closingWhileWorkRunsIsQuick()
    {
        QElapsedTimer clock;
        {
            WindowDesk desk;
            QVERIFY(desk.open(kModel));
            desk.window.jobs().add(QStringLiteral("long"), [](const RunContext& context) -> QString {
                for (;;) {
                    std::this_thread::sleep_for(std::chrono::milliseconds(2));
                    context.throwIfStopped();
                }
            });
            desk.window.document().change(QStringLiteral("ridge"), {}, [](SessionState& s) { s.settings.parameters.set("ridge", 0.3); });
            QTest::qWait(20);
            clock.start();
            desk.window.close();
        }
        qInfo("closed with a job and a lane at work in %lld ms", static_cast<long long>(clock.elapsed()));
        QVERIFY(clock.elapsed() < 20000); // left alone, the job never ends
    }
    void everyCommandHasItsOwnShortcut()
    {
        WindowDesk desk;
        QStringList seen;
        for (const auto& command : desk.window.commands().commands())
            for (const auto& shortcut : command.shortcuts) {
                QVERIFY2(!seen.contains(shortcut.toString()), qPrintable(command.id + QStringLiteral(" ") + shortcut.toString()));
                seen << shortcut.toString();
                QVERIFY(!command.help.isEmpty());
            }
        QVERIFY(seen.size() > 15);
    }
};

QTEST_MAIN(TstMainWindow)
#include "tst_main_window.moc"
