// SPDX-License-Identifier: GPL-3.0-or-later
// The recall surface in the window: computed in sight, followed by a mark, chosen from, stopped.
#include "app/window/surface_controller.h"
#include "tests/app/window/lab_desk.h"
#include "views/common/theme.h"
#include "views/encoder/surface_page.h"
#include "views/encoder/surface_view.h"

#include <QPushButton>
#include <QSettings>
#include <QSignalSpy>
#include <QToolButton>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

class TstSurfaceController : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_surface_controller"); }

private:
    static bool whole(LabDesk& desk)
    {
        return desk.waitFor([&] { return desk.lab().surface().isUpToDate() && !desk.lab().surface().lane().isBusy(); });
    }

private slots:
    void initTestCase() { views::Theme::instance().apply(*qApp, views::Theme::Mode::Dark); }
    void init() { QSettings().clear(); }
    void cleanupTestCase() { QSettings().clear(); }

    void itIsComputedInSightAndChosenFrom()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(smallAutoencoder()));
        QCOMPARE(desk.lab().surface().lane().counts().requests, 0); // its page is not in sight
        desk.window.document().select([](Selection& selection) { selection.encoderPage = "surface"; });
        auto* view = desk.panel().surface()->view();
        QVERIFY(desk.waitFor([&] { return view->surface() != nullptr; }));
        QVERIFY(whole(desk));
        QCOMPARE(view->surface()->tokens, std::int64_t(384));
        QCOMPARE(view->current()->second, desk.lab().cut()); // low rank: its rank, re-ranked at the cut
        savePicture(desk.window, "encoder-surface");
        const auto* best = view->cheapest();
        QVERIFY(best);
        const auto rank = best->rank, candidates = best->candidates;
        const double recall = best->recallMean;
        QTest::mouseClick(view, Qt::LeftButton, {}, view->toPixel(static_cast<double>(rank), static_cast<double>(candidates)).toPoint());
        QVERIFY(desk.complete());
        QCOMPARE(desk.choice().method, std::string("encoder.two-stage"));
        QCOMPARE(desk.choice().parameters.integer("rank"), rank);
        QCOMPARE(desk.choice().parameters.integer("candidates"), candidates);
        QCOMPARE(desk.lab().picture()->report->quality.recallMean, recall); // what the surface said
        QCOMPARE(*view->current(), (std::pair<std::int64_t, std::int64_t>{rank, candidates}));
        QCOMPARE(desk.lab().surface().lane().counts().requests, 1); // the same surface
        desk.window.document().undoStack().undo();
        QVERIFY(desk.choice().method != "encoder.two-stage");
    }
    void otherWeightsAreAnotherSurface()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(smallAutoencoder()));
        desk.window.document().select([](Selection& selection) { selection.encoderPage = "surface"; });
        QVERIFY(whole(desk));
        const auto before = desk.lab().surface().picture();
        desk.window.document().change("bench", {}, [](SessionState& state) {
            state.encoder.method = "encoder.two-stage";
            state.encoder.parameters = {};
            state.encoder.parameters.set("coarse", std::string("random"));
        });
        QVERIFY(whole(desk));
        QVERIFY(desk.lab().surface().picture() != before);
        QCOMPARE(desk.lab().surface().picture()->surface->coarse, std::string("random"));
        desk.run("encoder.close");
        QVERIFY(!desk.panel().surface()->view()->surface());
    }
    void stoppedItStaysAndGoesOn()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(smallAutoencoder()));
        desk.window.document().select([](Selection& selection) { selection.encoderPage = "surface"; });
        QSignalSpy shown(&desk.lab().surface(), &SurfaceController::pictureShown);
        QVERIFY(desk.waitFor([&] { return !shown.isEmpty(); }));
        desk.lab().surface().stop();
        QVERIFY(desk.waitFor([&] { return !desk.lab().surface().lane().isBusy(); }));
        QVERIFY(desk.panel().surface()->view()->surface() != nullptr);
        auto* goOn = desk.child<QPushButton>("goOnSurface");
        if (!desk.lab().surface().isUpToDate()) { // it may have been whole already
            QVERIFY(goOn->isVisible());
            QTest::mouseClick(goOn, Qt::LeftButton);
        }
        QVERIFY(whole(desk));
        QVERIFY(!goOn->isVisible());
        QVERIFY(!desk.child<QToolButton>("stopSurface")->isVisible());
    }
};

QTEST_MAIN(TstSurfaceController)
#include "tst_surface_controller.moc"
