// SPDX-License-Identifier: GPL-3.0-or-later
// The encoder tab in the window: edits, the cut, single tokens, certificates, nothing out of sight.
#include "tests/app/window/lab_desk.h"
#include "views/common/theme.h"
#include "views/common/line_chart.h"
#include "views/encoder/certificate_page.h"
#include "views/encoder/coarse_exact_view.h"
#include "views/encoder/recall_page.h"
#include "views/encoder/token_page.h"

#include <QPushButton>
#include <QSettings>
#include <QSlider>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

class TstEncoderEdits : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_encoder_edits"); }
private slots:
    void initTestCase() { views::Theme::instance().apply(*qApp, views::Theme::Mode::Dark); }
    void init() { QSettings().clear(); }
    void cleanupTestCase() { QSettings().clear(); }

    void editsRedrawAndADragIsOneStep()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(smallAutoencoder()));
        const double before = desk.lab().picture()->report->quality.recallMean;
        auto* slider = desk.panel().settings()->findChild<QSlider*>("rank-slider");
        QVERIFY(slider);
        const int steps = desk.window.document().undoStack().count(), low = slider->minimum() + (slider->maximum() - slider->minimum()) / 4;
        slider->setSliderDown(true);
        for (int value = slider->value(); value > low; value -= std::max(1, (slider->maximum() - slider->minimum()) / 100)) {
            slider->setValue(value);
            QTest::qWait(2);
        }
        slider->setSliderDown(false);
        QVERIFY(desk.complete());
        QCOMPARE(desk.window.document().undoStack().count(), steps + 1);
        const auto small = desk.lab().picture();
        QVERIFY(small->request.parameters.integer("rank") < 64);
        QVERIFY(small->report->quality.recallMean < before);
        desk.window.document().undoStack().undo();
        QVERIFY(desk.complete());
        QCOMPARE(desk.lab().picture()->report->quality.recallMean, before); // the same settings, the same numbers
    }
    void theCutAsksForNothing()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(smallAutoencoder()));
        QCOMPARE(desk.lab().cut(), std::int64_t(16)); // k, until it is moved
        const int requests = desk.lab().lane().counts().requests, steps = desk.window.document().undoStack().count();
        auto* view = desk.panel().token()->view();
        QTest::mousePress(view, Qt::LeftButton, {}, view->cutHandle(16).toPoint());
        for (int cut = 20; cut <= 200; cut += 20)
            QTest::mouseMove(view, view->cutHandle(cut).toPoint());
        const double during = desk.panel().recall()->recall().mean;
        QVERIFY(during > desk.lab().picture()->report->quality.recallMean); // live, before the button is let go
        QTest::mouseRelease(view, Qt::LeftButton, {}, view->cutHandle(200).toPoint());
        QVERIFY(desk.lab().cut() > 150);
        QCOMPARE(desk.choice().cut, desk.lab().cut());
        QCOMPARE(desk.window.document().undoStack().count(), steps + 1);
        QTest::qWait(50);
        QCOMPARE(desk.lab().lane().counts().requests, requests);
        desk.window.document().undoStack().undo();
        QCOMPARE(desk.lab().cut(), std::int64_t(16));
        QCOMPARE(view->cut(), std::int64_t(16));
        QCOMPARE(desk.lab().lane().counts().requests, requests);
    }
    void tokensAreSeenOneByOne()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(smallAutoencoder()));
        const auto report = desk.lab().picture()->report;
        QTest::mouseClick(desk.child<QPushButton>("worstToken"), Qt::LeftButton);
        QVERIFY(desk.complete());
        const auto ranking = desk.panel().token()->view()->ranking();
        const auto& worst = report->outcomes[static_cast<std::size_t>(ranking->token)];
        QCOMPARE(worst.recall, report->quality.recallMin);
        QCOMPARE(desk.panel().token()->view()->found(), worst.found); // at a cut of k
        QCOMPARE(desk.lab().picture()->report, report); // nothing was measured again
    }
    void certifiedEncodersShowTheirCertificates()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(smallAutoencoder()));
        desk.chooseMethod("encoder.certified");
        QVERIFY(desk.complete());
        QCOMPARE(desk.lab().picture()->report->quality.recallMin, 1.0);
        QVERIFY(desk.panel().certificate()->shows());
        QVERIFY(!desk.panel().certificate()->law()->series().empty());
        desk.panel().showPage("certificate");
        savePicture(desk.window, "encoder-certificate");
    }
    void nothingIsComputedOutOfSight()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(smallAutoencoder()));
        desk.labs()->setCurrentIndex(0);
        const int requests = desk.lab().lane().counts().requests;
        desk.window.document().change("bench", {}, [](SessionState& state) { state.encoder.parameters.set("rank", std::int64_t{12}); });
        QTest::qWait(50);
        QCOMPARE(desk.lab().lane().counts().requests, requests);
        desk.run("encoder.show");
        QVERIFY(desk.complete());
        QCOMPARE(desk.lab().picture()->request.parameters.integer("rank"), std::int64_t(12));
    }
};

QTEST_MAIN(TstEncoderEdits)
#include "tst_encoder_edits.moc"
