// SPDX-License-Identifier: GPL-3.0-or-later
// Token methods that train, in the window: from the button to a picture, ended early, given up, moved afterwards without training, to a file and back.
#include "tests/app/window/desk.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"
#include "views/common/training_view.h"
#include "views/tokens/token_panel.h"
#include "views/tokens/token_settings.h"
#include "views/tokens/token_training_page.h"

#include <QFile>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

namespace {
struct TrainingDesk : Desk {
    TokensController& lab() { return window.tokens(); }
    TokenTrainingController& training() { return lab().training(); }
    views::TokenPanel& panel() { return window.tokenPanel(); }
    views::TrainingView& view() { return *panel().training()->training(); }
    void press(const char* button) { QTest::mouseClick(child<QPushButton>(button), Qt::LeftButton); }
    bool shown()
    {
        return waitFor([this] { return !window.jobs().isRunning() && lab().isUpToDate() && !lab().isBusy(); });
    }
    bool seesLosses()
    {
        return waitFor([this] { return training().isTraining() && !view().chart()->series().empty() && view().chart()->series()[0].points.size() > 1; });
    }
    /// vit20 with its photos and this method's settings; keep 0.7.
    bool openAll(std::int64_t steps)
    {
        if (!Desk::open(dataset("vit20")) || !waitFor([this] { return window.model().report() != nullptr; }))
            return false;
        window.model().openPhotos(dataset("photos"));
        window.showLab(&panel());
        if (!shown())
            return false;
        choose(steps, 0.7);
        return shown();
    }
    void choose(std::int64_t steps, double keep)
    {
        TokenSetting setting{"tokens.learned", {}};
        for (const auto& [name, value] : {std::pair<const char*, ParameterValue>("steps", steps), {"batch", std::int64_t{1}}, {"check-every", std::int64_t{2}}, {"patience", std::int64_t{0}}, {"keep", keep}})
            setting.parameters.set(name, value);
        lab().take(setting, QStringLiteral("test"));
    }
    std::int64_t kept() { return lab().result()->reduced.isEmpty() ? -1 : lab().result()->reduced.tokens(6); }
};
} // namespace

class TstTokensTraining : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_tokens_training"); }

private slots:
    void fromTheButtonToAPicture()
    {
        TrainingDesk desk;
        QVERIFY(desk.openAll(2));
        QCOMPARE(desk.kept(), std::int64_t(-1)); // press Train
        QVERIFY(desk.child<QWidget>("tokenNoticeBar")->isVisible());
        QVERIFY(!desk.training().saveDisabledReason().isEmpty());
        desk.press("trainTokens");
        QVERIFY(desk.training().isTraining());
        QVERIFY(!desk.training().trainDisabledReason().isEmpty()); // one at a time
        QVERIFY(!desk.child<QPushButton>("trainTokens")->isEnabled());
        QCOMPARE(desk.panel().page(), QStringLiteral("training"));
        QVERIFY(desk.shown());
        QCOMPARE(desk.kept(), std::int64_t(88)); // 1 + int(256 0.7^3)
        QVERIFY(!desk.child<QWidget>("tokenNoticeBar")->isVisible());
        QCOMPARE(desk.view().chart()->series().size(), std::size_t(2));
        QVERIFY(desk.training().trainDisabledReason().isEmpty());
        savePicture(desk.window, "token-training");

        // What is used after training alone moves without another training, and comes back to the very same picture.
        const auto before = desk.lab().result()->reduced.overlay()->embeddingShift;
        desk.choose(2, 0.5);
        QVERIFY(!desk.window.jobs().isRunning());
        QVERIFY(desk.shown());
        QCOMPARE(desk.kept(), std::int64_t(33));
        QVERIFY(!desk.view().chart()->series().empty());
        desk.choose(2, 0.7);
        QVERIFY(desk.shown());
        QCOMPARE(desk.lab().result()->reduced.overlay()->embeddingShift, before);
        // Another number of steps is another training.
        desk.choose(3, 0.7);
        QVERIFY(desk.shown());
        QCOMPARE(desk.kept(), std::int64_t(-1));
        QVERIFY(desk.view().chart()->series().empty());

        // To a file, and back in a window that has trained nothing.
        desk.choose(2, 0.7);
        QVERIFY(desk.shown());
        desk.answer = desk.path("predictors");
        desk.run("tokens.save-trained");
        QVERIFY(desk.shown());
        QVERIFY(QFile::exists(desk.path("predictors.safetensors")));
        TrainingDesk other;
        QVERIFY(other.openAll(77));
        other.answer = desk.path("predictors.safetensors");
        other.run("tokens.open-trained");
        QVERIFY(other.waitFor([&] { return other.kept() == 88; }));
        QCOMPARE(other.window.document().state().tokens.setting.parameters.integer("steps"), std::int64_t(2)); // as it was trained
        QCOMPARE(other.lab().result()->reduced.overlay()->embeddingShift, before);
        QVERIFY(other.view().chart()->series().empty()); // the file has no curves
        QVERIFY(other.training().saveDisabledReason().isEmpty());

        // A file of something else is refused with a sentence, and nothing changes.
        QSignalSpy failed(&other.lab(), &TokensController::failed);
        other.training().open(dataset("vit20/model.safetensors"));
        QVERIFY(other.waitFor([&] { return !failed.isEmpty(); }));
        QVERIFY(failed.first().first().toString().contains("format"));
        QCOMPARE(other.kept(), std::int64_t(88));
    }
    void finishedEarlyItIsKeptAndCancelledNothingIs()
    {
        TrainingDesk desk;
        QVERIFY(desk.openAll(100'000));
        desk.run("tokens.train");
        QVERIFY(desk.seesLosses());
        savePicture(desk.window, "token-training-live");
        desk.press("cancelTrainingOfTokens");
        QVERIFY(desk.shown());
        QVERIFY(!desk.training().isTraining());
        QCOMPARE(desk.kept(), std::int64_t(-1));
        QVERIFY(desk.view().chart()->series().empty());
        desk.run("tokens.train");
        QVERIFY(desk.seesLosses());
        desk.press("finishTrainingOfTokens");
        QVERIFY(desk.shown());
        QCOMPARE(desk.kept(), std::int64_t(88));
        QVERIFY(desk.view().chart()->series()[0].points.back().x < 100'000);
    }
    void whatTrainsNothingCannotBeTrained()
    {
        TrainingDesk desk;
        QVERIFY(!desk.training().trainDisabledReason().isEmpty());
        QSignalSpy failed(&desk.lab(), &TokensController::failed);
        desk.training().train();
        desk.training().askAndSave();
        desk.training().askAndOpen();
        QCOMPARE(failed.size(), 3);
        desk.training().finish(); // nothing runs: nothing happens
        desk.training().cancel();
    }

    /// With TAMIS_SHOTS=<folder> alone: every page with real values, in the theme of TAMIS_THEME (1 light, 2 dark).
    void picturesOfThePages()
    {
        if (!qEnvironmentVariableIsSet("TAMIS_SHOTS"))
            QSKIP("pictures are taken on request");
        views::Theme::instance().apply(*qApp, static_cast<views::Theme::Mode>(qEnvironmentVariableIntValue("TAMIS_THEME")));
        TrainingDesk desk;
        makeRoom(desk.window);
        QVERIFY(desk.openAll(60));
        const auto take = [&desk](const char* method, const char* name, const ParameterValue& value) {
            TokenSetting setting{method, {}};
            setting.parameters.set(name, value);
            desk.lab().take(setting, QStringLiteral("picture"));
        };
        const auto shot = [&desk](const char* page, const char* name) {
            desk.window.document().select([&](Selection& selection) { selection.tokenPage = page; });
            desk.window.notice().clear();
            QTest::qWait(300);
            savePicture(desk.window, QLatin1String(name));
        };
        desk.window.document().select([](Selection& selection) { selection.tokenPhoto = "chelsea_cat.jpg"; });
        take("tokens.evit", "keep", 0.7);
        QVERIFY(desk.shown());
        emit desk.panel().pinRequested();
        take("tokens.tome", "r", std::int64_t{28});
        QVERIFY(desk.shown() && desk.waitFor([&] { return desk.lab().isFolderUpToDate(); }));
        shot("tokens", "tokens-photo");
        take("tokens.ats", "least", std::int64_t{8});
        QVERIFY(desk.shown() && desk.waitFor([&] { return desk.lab().isFolderUpToDate(); }));
        shot("layers", "tokens-blocks");
        desk.lab().compare();
        QVERIFY(QTest::qWaitFor([&] { return !desk.window.jobs().isRunning(); }, 900'000));
        shot("compare", "tokens-compare");
        desk.choose(60, 0.7);
        desk.training().train();
        QVERIFY(QTest::qWaitFor([&] { return !desk.window.jobs().isRunning(); }, 600'000));
        QVERIFY(desk.shown());
        shot("training", "tokens-training");
    }
};

QTEST_MAIN(TstTokensTraining)
#include "tst_tokens_training.moc"
