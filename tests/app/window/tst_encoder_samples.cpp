// SPDX-License-Identifier: GPL-3.0-or-later
// The photo and the text in the window that the encoder tab's tokens come from.
#include "tests/app/window/tokens_desk.h"
#include "views/common/theme.h"
#include "views/encoder/coarse_exact_view.h"
#include "views/encoder/photo_latent_view.h"
#include "views/encoder/text_latent_view.h"
#include "views/encoder/token_page.h"

#include <QLabel>
#include <QSettings>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

namespace {
constexpr std::int64_t kPhotoTokens = 257; ///< a class token and 16 x 16 patches
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
        QVERIFY(desk.onSample("vit20", visionAutoencoder()));
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
        // And those of the first photo are the first of the whole measurement.
        const auto first = desk.lab().picture();
        std::size_t place = 0;
        for (const auto& set : first->latents->exact)
            for (const auto& wanted : set) {
                QCOMPARE(wanted.latent, first->report->exactLatents[place]);
                QCOMPARE(static_cast<double>(wanted.place), first->report->coarseRanks[place]);
                ++place;
            }
        QVERIFY(place > 0);
        QTest::keyClick(photo, Qt::Key_Right);
        QVERIFY(desk.complete());
        QCOMPARE(desk.panel().token()->token(), std::int64_t(patch + 1));
        QTest::keyClick(photo, Qt::Key_PageDown); // the same patch of the next photo
        QVERIFY(desk.complete());
        QCOMPARE(desk.panel().token()->token(), kPhotoTokens + patch + 1);
        QCOMPARE(desk.lab().picture()->latents->first, kPhotoTokens);
        savePicture(desk.window, "encoder-photo");
    }
    void wordsOfATextAreTokens()
    {
        TokensDesk desk;
        QVERIFY(desk.onSample("tinylm", languageAutoencoder()));
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
    void theSessionBringsTheTokensBack()
    {
        TokensDesk desk;
        QVERIFY(desk.onSample("vit20", visionAutoencoder()));
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
