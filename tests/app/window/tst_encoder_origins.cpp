// SPDX-License-Identifier: GPL-3.0-or-later
// Where the encoder tab's tokens come from, in the window: models that run, close and are replaced.
#include "tests/app/window/tokens_desk.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"
#include "views/encoder/coarse_exact_view.h"
#include "views/encoder/photo_latent_view.h"
#include "views/encoder/token_page.h"

#include <QElapsedTimer>
#include <QLabel>
#include <QSettings>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

class TstEncoderOrigins : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_encoder_origins"); }
private slots:
    void initTestCase() { views::Theme::instance().apply(*qApp, views::Theme::Mode::Dark); }
    void init() { QSettings().clear(); }
    void cleanupTestCase() { QSettings().clear(); }

    void theModelRunsBesideTheWindow()
    {
        TokensDesk desk;
        QVERIFY(desk.onSample("vit20", visionAutoencoder()));
        // Asking returns before anything has been run.
        const auto before = desk.lab().picture();
        QElapsedTimer since;
        since.start();
        desk.lab().chooseBlock(2);
        const qint64 asked = since.elapsed();
        QVERIFY(desk.lab().isBusy());
        QVERIFY(desk.child<QLabel>("encoderRunning")->text().contains("Running the model"));
        QVERIFY(desk.child<QPushButton>("stopEncoder")->isVisible());
        QCOMPARE(desk.lab().picture(), before); // what is on screen stays meanwhile
        qInfo("asking for another block took the window %lld ms", static_cast<long long>(asked));
        QTest::mouseClick(desk.child<QPushButton>("stopEncoder"), Qt::LeftButton);
        QVERIFY(desk.waitFor([&] { return !desk.window.jobs().isRunning() && !desk.lab().isBusy(); }));
        const bool stopped = desk.choice().block == 3; // a run that was through before the click has changed it
        QCOMPARE(desk.child<QComboBox>("tokenPlace")->currentIndex(), desk.choice().block);
        QVERIFY(stopped || desk.choice().block == 2);
        desk.choose("tokenPlace", 4);
        QVERIFY(desk.complete());
        QCOMPARE(desk.choice().block, 4);
        QVERIFY(desk.child<QLabel>("tokenPlaceNote")->text().contains("block 3"));
        QVERIFY(desk.lab().picture()->report->quality.fvuExact > before->report->quality.fvuExact); // the autoencoder was trained after block 3
        desk.window.document().undoStack().undo();
        QVERIFY(desk.complete());
        QVERIFY(desk.choice().block != 4);
    }
    void closingTheModelLeavesTheAutoencoderAndItsTokens()
    {
        TokensDesk desk;
        QVERIFY(desk.onSample("vit20", visionAutoencoder()));
        const auto before = desk.lab().picture();
        desk.run("file.close");
        QVERIFY(desk.complete());
        QVERIFY(!desk.window.workspaces().workspace());
        QCOMPARE(QString::fromStdString(desk.choice().autoencoder), visionAutoencoder());
        QCOMPARE(desk.lab().picture()->report, before->report); // nothing was run or measured again
        QVERIFY(desk.page().photo()->isVisible());
        press(*desk.page().photo(), 40);
        QVERIFY(desk.complete());
        QCOMPARE(desk.panel().token()->view()->ranking()->token, std::int64_t(40));
        QVERIFY(desk.child<QLabel>("tokenModelNote")->text().contains("vit20 is closed"));
        QVERIFY(!desk.child<QComboBox>("tokenPlace")->isEnabled());
        // Another model is noticed, the same one is at home again.
        QVERIFY(desk.open(dataset("tinylm")));
        QVERIFY(desk.complete());
        QVERIFY(desk.child<QLabel>("tokenModelNote")->text().contains("tinylm is open now"));
        QCOMPARE(desk.lab().picture()->report, before->report);
        QVERIFY(desk.open(dataset("vit20")));
        QVERIFY(desk.complete());
        QVERIFY(!desk.child<QLabel>("tokenModelNote")->isVisible());
        desk.choose("tokenOrigin", 0); // rows of the file beside it
        QVERIFY(desk.complete());
        QCOMPARE(desk.choice().origin, TokenOrigin::Rows);
        QVERIFY(desk.measured().contains("vit20.block3.heldout.npy"));
        QVERIFY(desk.child<QWidget>("sampleEmpty")->isVisible());
    }
    void samplesOfACalibrationSiteAreTokens()
    {
        TokensDesk desk;
        QVERIFY(desk.open(dataset("vit20")));
        desk.window.open(visionAutoencoder());
        QVERIFY(desk.complete());
        QVERIFY(!desk.window.commands().action("encoder.text")->isEnabled()); // the model reads images
        desk.run("encoder.calibration");
        QVERIFY(desk.complete());
        QCOMPARE(desk.choice().origin, TokenOrigin::Calibration);
        QVERIFY(desk.measured().contains("held-out samples") && desk.box().state().fitted.contains("calibration samples"));
        const auto sites = desk.box().state().sites;
        QVERIFY(sites.size() > 3);
        desk.choose("tokenPlace", 0);
        QVERIFY(desk.complete());
        QCOMPARE(QString::fromStdString(desk.choice().site), sites.first());
        desk.run("file.close");
        QVERIFY(desk.complete()); // its rows stay, too
        QVERIFY(desk.lab().picture() != nullptr);
    }
    void whatCannotBeTakenChangesNothing()
    {
        TokensDesk desk;
        QVERIFY(desk.onSample("vit20", visionAutoencoder()));
        const auto before = desk.lab().picture();
        const int steps = desk.window.document().undoStack().count();
        desk.lab().takeTokensFrom(TokenOrigin::Text); // the model reads images
        QVERIFY(desk.waitFor([&] { return !desk.window.jobs().isRunning() && !desk.lab().isBusy(); }));
        QCOMPARE(desk.window.notice().severity(), views::NoticeBar::Severity::Error);
        QCOMPARE(desk.window.document().undoStack().count(), steps);
        QCOMPARE(desk.lab().picture(), before);
        QCOMPARE(desk.child<QComboBox>("tokenOrigin")->currentIndex(), 2);
        desk.answer.clear(); // the question is answered with nothing
        desk.choose("tokenFit", 1);
        QCOMPARE(desk.child<QComboBox>("tokenFit")->currentIndex(), 0);
        desk.answer = dataset("sae/vit20.block3.heldout.npy");
        desk.choose("tokenFit", 1);
        QVERIFY(desk.complete());
        QVERIFY(desk.measured().contains("15 photos")); // none is needed to fit to: as many as there is room for
        QVERIFY(desk.box().state().fitted.contains("vit20.block3.heldout.npy"));
        desk.choose("tokenFit", 0);
        QVERIFY(desk.complete());
        QVERIFY(desk.measured().contains("10 photos"));
    }
};

QTEST_MAIN(TstEncoderOrigins)
#include "tst_encoder_origins.moc"
