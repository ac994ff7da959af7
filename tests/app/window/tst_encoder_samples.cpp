// SPDX-License-Identifier: GPL-3.0-or-later
// The encoder tab's tokens in the window: from the model that is open, on its photo and in its text; models that close and are replaced.
#include "tests/app/window/lab_desk.h"
#include "views/common/copyable_table_view.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"
#include "views/encoder/coarse_exact_view.h"
#include "views/encoder/photo_latent_view.h"
#include "views/encoder/sample_page.h"
#include "views/encoder/text_latent_view.h"
#include "views/encoder/token_page.h"
#include "views/encoder/token_source_box.h"

#include <QElapsedTimer>
#include <QLabel>
#include <QPushButton>
#include <QSettings>
#include <QTest>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

namespace {
const QString kVision = dataset("sae/vit20.block3.k16/sparsify"), kLanguage = dataset("sae/tinylm.block3.k32/sparsify");
constexpr std::int64_t kPhotoTokens = 257;

struct TokensDesk : LabDesk {
    views::SamplePage& page() { return *panel().sample(); }
    views::TokenSourceBox& box() { return *panel().settings()->tokens(); }
    QString measured() { return box().state().measured; }
    /// The autoencoder beside its model, tokens from the model, the page of the sample in front.
    bool onSample(const char* model, const QString& autoencoder)
    {
        if (!open(dataset(model)))
            return false;
        if (QLatin1String(model) == QLatin1String("vit20"))
            window.open(dataset("photos"));
        window.open(autoencoder);
        if (!complete() || !waitFor([this] { return window.model().report() && !window.model().isBusy(); }))
            return false;
        run("encoder.show");
        panel().showPage(QStringLiteral("sample"));
        window.document().select([](Selection& selection) { selection.encoderPage = "sample"; });
        auto* action = child<QWidget>("sampleEmpty")->findChild<QPushButton*>();
        if (!action || !action->isVisible())
            return false;
        QTest::mouseClick(action, Qt::LeftButton);
        return complete() && lab().picture()->latents;
    }
    void choose(const char* combo, int row)
    {
        auto* box = child<QComboBox>(combo);
        box->setCurrentIndex(row);
        emit box->activated(row);
    }
};

template <class View> void press(View& view, int at) { QTest::mouseClick(&view, Qt::LeftButton, {}, view.tokenRect(at).center().toPoint()); }
} // namespace

class TstEncoderSamples : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_encoder_samples"); }
private slots:
    void initTestCase() { views::Theme::instance().apply(*qApp, views::Theme::Mode::Dark); }
    void init() { QSettings().clear(); }
    void cleanupTestCase() { QSettings().clear(); }

    void aPatchIsTheTokenEverywhere()
    {
        TokensDesk desk;
        QVERIFY(desk.onSample("vit20", kVision));
        QCOMPARE(desk.choice().origin, TokenOrigin::Photos);
        QCOMPARE(desk.choice().block, 3);
        QVERIFY(desk.measured().contains("10 photos of photos, after block 3 of vit20: 2570 tokens"));
        QVERIFY(desk.box().state().fitted.contains("10 other photos"));
        QVERIFY(desk.child<QLabel>("encoderSummary")->text().contains("measured on 2570 tokens"));
        auto* photo = desk.page().photo();
        QVERIFY(photo->isVisible());
        photo->setFocus();
        const int patch = 1 + 16 * 5 + 9;
        press(*photo, patch);
        QVERIFY(desk.complete());
        QCOMPARE(desk.window.document().state().selection.encoderToken, std::int64_t(patch));
        QCOMPARE(desk.panel().token()->view()->ranking()->token, std::int64_t(patch)); // the coarse-against-exact view
        QCOMPARE(photo->current(), patch);
        // What the photo shows is the token's own ranking.
        const auto& latents = *desk.lab().picture()->latents;
        const auto& ranking = *desk.lab().picture()->ranking;
        const auto& exact = latents.exact[static_cast<std::size_t>(patch)];
        QCOMPARE(exact.size(), ranking.exact.size());
        for (std::size_t i = 0; i < exact.size(); ++i) {
            QCOMPARE(exact[i].latent, ranking.exact[i].latent);
            QCOMPARE(exact[i].place, ranking.exact[i].place);
            QCOMPARE(static_cast<double>(exact[i].value), ranking.exact[i].value);
        }
        QCOMPARE(desk.page().latent(), exact.front().latent);
        QTest::keyClick(photo, Qt::Key_Right);
        QVERIFY(desk.complete());
        QCOMPARE(desk.panel().token()->token(), std::int64_t(patch + 1));
        QTest::keyClick(photo, Qt::Key_PageDown); // the same patch of the next photo
        QVERIFY(desk.complete());
        QCOMPARE(desk.panel().token()->token(), kPhotoTokens + patch + 1);
        QCOMPARE(desk.lab().picture()->latents->first, kPhotoTokens);
        savePicture(desk.window, "encoder-photo");
    }
    void theTokensOfAPhotoAreThoseOfTheWholeMeasurement()
    {
        TokensDesk desk;
        QVERIFY(desk.onSample("vit20", kVision));
        const auto& picture = *desk.lab().picture();
        std::size_t at = 0;
        for (const auto& exact : picture.latents->exact)
            for (const auto& wanted : exact) {
                QCOMPARE(wanted.latent, picture.report->exactLatents[at]);
                QCOMPARE(static_cast<double>(wanted.place), picture.report->coarseRanks[at]);
                ++at;
            }
        QVERIFY(at > 0);
    }
    void theModelRunsBesideTheWindow()
    {
        TokensDesk desk;
        QVERIFY(desk.onSample("vit20", kVision));
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
        QVERIFY(desk.onSample("vit20", kVision));
        const auto before = desk.lab().picture();
        desk.run("file.close");
        QVERIFY(desk.complete());
        QVERIFY(!desk.window.workspaces().workspace());
        QCOMPARE(QString::fromStdString(desk.choice().autoencoder), kVision);
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
    void wordsOfATextAreTokens()
    {
        TokensDesk desk;
        QVERIFY(desk.onSample("tinylm", kLanguage));
        QCOMPARE(desk.choice().origin, TokenOrigin::Text);
        QVERIFY(desk.measured().contains("heldout.txt, after block 3 of tinylm"));
        auto* text = desk.page().text();
        QVERIFY(text->isVisible());
        press(*text, 12);
        QVERIFY(desk.complete());
        QCOMPARE(desk.panel().token()->token(), std::int64_t(12));
        QCOMPARE(text->current(), 12);
        QVERIFY(!text->map().exact.empty());
        savePicture(desk.window, "encoder-text");
        desk.answer = dataset("tinylm/calibration.npy"); // token ids
        QTest::mouseClick(desk.child<QPushButton>("encoderTokensChoose"), Qt::LeftButton);
        QVERIFY(desk.complete());
        QVERIFY(desk.measured().contains("calibration.npy"));
        QVERIFY(desk.page().text()->sample()->count == 256);
    }
    void samplesOfACalibrationSiteAreTokens()
    {
        TokensDesk desk;
        QVERIFY(desk.open(dataset("vit20")));
        desk.window.open(kVision);
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
        QVERIFY(desk.onSample("vit20", kVision));
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
    void theSessionBringsTheTokensBack()
    {
        TokensDesk desk;
        QVERIFY(desk.onSample("vit20", kVision));
        press(*desk.page().photo(), 77);
        QVERIFY(desk.complete());
        const double recall = desk.lab().picture()->report->quality.recallMean;
        desk.answer = desk.path("session.tamis");
        desk.run("file.save-as");
        TokensDesk other;
        QVERIFY(other.open(desk.answer));
        other.run("encoder.show");
        QVERIFY(other.complete());
        QCOMPARE(other.choice().origin, TokenOrigin::Photos);
        QCOMPARE(other.lab().picture()->report->quality.recallMean, recall);
        QVERIFY(other.waitFor([&] { return other.lab().picture()->latents != nullptr; }));
        QCOMPARE(other.page().photo()->current(), 77);
    }
};

QTEST_MAIN(TstEncoderSamples)
#include "tst_encoder_samples.moc"
