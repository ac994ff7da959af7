// SPDX-License-Identifier: GPL-3.0-or-later
// Encoders trained in the window: live losses, an early end, a cancelled one, the list, files, points of a comparison.
#include "app/window/training_controller.h"
#include "tests/app/window/lab_desk.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"
#include "views/encoder/encoder_pareto_chart.h"
#include "views/encoder/pareto_page.h"
#include "views/encoder/training_page.h"

#include <QFile>
#include <QPushButton>
#include <QSettings>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

namespace {
struct TrainingDesk : LabDesk {
    void choose(std::int64_t rank, std::int64_t steps)
    {
        window.document().change("bench", {}, [&](SessionState& state) {
            state.encoder.method = "encoder.low-rank-trained";
            state.encoder.parameters = {};
            state.encoder.parameters.set("rank", rank);
            state.encoder.parameters.set("steps", steps);
            state.encoder.parameters.set("patience", std::int64_t{0});
        });
    }
    views::TrainingPage& page() { return *panel().training(); }
    TrainingController& training() { return lab().training(); }
    void press(const char* name) { QTest::mouseClick(child<QPushButton>(name), Qt::LeftButton); }
    bool seesLosses()
    {
        return waitFor([this] { return training().isTraining() && !page().chart()->series().empty() && page().chart()->series()[0].points.size() > 1; });
    }
    bool isOver()
    {
        return waitFor([this] { return !training().isTraining() && !window.jobs().isRunning(); });
    }
};
} // namespace

class TstTrainingController : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_training_controller"); }
private slots:
    void initTestCase() { views::Theme::instance().apply(*qApp, views::Theme::Mode::Dark); }
    void init() { QSettings().clear(); }
    void cleanupTestCase() { QSettings().clear(); }

    void trainedOnesBecomeCurrentAndStay()
    {
        TrainingDesk desk;
        QVERIFY(desk.openAutoencoder(smallAutoencoder()));
        QVERIFY(!desk.training().trainDisabledReason().isEmpty()); // low rank trains nothing
        desk.choose(8, 30);
        QVERIFY(desk.child<QWidget>("encoderNoticeBar")->isVisible()); // press Train
        QVERIFY(desk.training().trainDisabledReason().isEmpty());
        desk.press("trainEncoder");
        QVERIFY(desk.training().isTraining());
        QVERIFY(!desk.training().trainDisabledReason().isEmpty()); // one at a time
        QCOMPARE(desk.panel().page(), QStringLiteral("training"));
        QVERIFY(desk.complete());
        QCOMPARE(desk.page().model()->rowCount(), 1);
        QVERIFY(desk.page().model()->at(0)->current && desk.page().model()->at(0)->recall > 0);
        QVERIFY(!desk.child<QWidget>("encoderNoticeBar")->isVisible());
        QVERIFY(!desk.page().chart()->series().empty());
        desk.choose(16, 30);
        QVERIFY(desk.child<QWidget>("encoderNoticeBar")->isVisible());
        QVERIFY(!desk.page().model()->at(0)->current);
        desk.run("encoder.train");
        QVERIFY(desk.complete());
        QCOMPARE(desk.page().model()->rowCount(), 2);
        savePicture(desk.window, "encoder-training");
        // Both are points, though nothing was compared.
        QVERIFY(desk.lab().comparison());
        QCOMPARE(desk.lab().comparison()->points.size(), std::size_t(2));
        desk.panel().showPage("compare");
        auto* chart = desk.panel().compare()->chart();
        QVERIFY(desk.waitFor([&] { return chart->shownPoints() == 2; }));
        QTest::mouseClick(chart, Qt::LeftButton, {}, chart->toPixel(1).toPoint()); // the older one: the newest comes first
        QCOMPARE(desk.choice().parameters.integer("rank"), std::int64_t(8));
        QVERIFY(desk.complete());
        // What is forgotten has to be trained anew.
        desk.training().showState();
        emit desk.page().forgetRequested(desk.page().model()->at(1)->number);
        QCOMPARE(desk.page().model()->rowCount(), 1);
        QVERIFY(desk.child<QWidget>("encoderNoticeBar")->isVisible());
    }
    void finishedEarlyItIsKept()
    {
        TrainingDesk desk;
        QVERIFY(desk.openAutoencoder(smallAutoencoder()));
        desk.choose(8, 100'000);
        desk.run("encoder.train");
        QVERIFY(desk.seesLosses());
        savePicture(desk.window, "encoder-training-live");
        desk.press("finishTraining");
        QVERIFY(desk.complete());
        QCOMPARE(desk.page().model()->rowCount(), 1);
        QVERIFY(desk.page().model()->at(0)->steps < 100'000);
    }
    void anotherAutoencoderKeepsItsSettings()
    {
        TrainingDesk desk;
        QVERIFY(desk.openAutoencoder(smallAutoencoder()));
        desk.choose(8, 100'000);
        desk.lab().open(dataset("sae/vit20.block3.k32/sparsify")); // is read before the training begins
        desk.run("encoder.train");
        QVERIFY(desk.training().isTraining());
        QCOMPARE(desk.lab().sources()->ownK, std::int64_t(16));
        QVERIFY(desk.waitFor([&] { return desk.lab().sources()->ownK == 32; }));
        desk.window.document().change("bench", {}, [](SessionState& state) {
            state.encoder.method = "encoder.low-rank";
            state.encoder.parameters = {};
        });
        desk.training().finish();
        QVERIFY(desk.complete());
        QVERIFY(!desk.training().isTraining());
        QCOMPARE(desk.choice().method, std::string("encoder.low-rank"));
        QCOMPARE(desk.choice().k, std::int64_t(0));
        QCOMPARE(desk.page().model()->rowCount(), 0); // it is of the other one
    }
    void theCutMovesWithoutTraining()
    {
        TrainingDesk desk;
        QVERIFY(desk.openAutoencoder(smallAutoencoder()));
        desk.choose(8, 30);
        desk.run("encoder.train");
        QVERIFY(desk.complete());
        const double recall = desk.lab().picture()->report->quality.recallMean;
        emit desk.panel().cutMoved(200, true);
        QCOMPARE(desk.choice().parameters.integer("candidates"), std::int64_t(200));
        QVERIFY(!desk.child<QWidget>("encoderNoticeBar")->isVisible());
        QVERIFY(desk.complete());
        QVERIFY(desk.lab().picture()->report->quality.recallMean > recall);
        QCOMPARE(desk.page().model()->rowCount(), 1);
    }
    void cancelledNothingIsKept()
    {
        TrainingDesk desk;
        QVERIFY(desk.openAutoencoder(smallAutoencoder()));
        desk.choose(8, 100'000);
        desk.run("encoder.train");
        QVERIFY(desk.seesLosses());
        desk.press("cancelTraining");
        QVERIFY(desk.isOver());
        QCOMPARE(desk.page().model()->rowCount(), 0);
        QVERIFY(desk.page().chart()->series().empty());
        QVERIFY(desk.child<QWidget>("encoderNoticeBar")->isVisible());
        QVERIFY(desk.training().trainDisabledReason().isEmpty());
    }
    void filesBringThemBack()
    {
        TrainingDesk desk;
        QVERIFY(desk.openAutoencoder(smallAutoencoder()));
        desk.choose(8, 30);
        desk.run("encoder.train");
        QVERIFY(desk.complete());
        const double recall = desk.lab().picture()->report->quality.recallMean;
        desk.answer = desk.path("encoder"); // no suffix
        desk.press("saveTrained");
        QVERIFY(desk.isOver());
        QVERIFY(QFile::exists(desk.path("encoder.safetensors")));
        QCOMPARE(desk.page().model()->at(0)->file, desk.path("encoder.safetensors"));
        TrainingDesk other;
        QVERIFY(other.openAutoencoder(smallAutoencoder()));
        other.answer = desk.path("encoder.safetensors");
        other.run("encoder.open-trained");
        QVERIFY(other.waitFor([&] { return other.choice().method == "encoder.low-rank-trained"; }));
        QVERIFY(other.complete());
        QCOMPARE(other.lab().picture()->report->quality.recallMean, recall);
        QCOMPARE(other.choice().parameters.integer("rank"), std::int64_t(8));
        other.answer = smallAutoencoder() + "/sae.safetensors"; // no trained encoder
        other.run("encoder.open-trained");
        QVERIFY(other.waitFor([&] { return other.window.notice().severity() == views::NoticeBar::Severity::Error; }));
        QCOMPARE(other.page().model()->rowCount(), 1);
    }
};

QTEST_MAIN(TstTrainingController)
#include "tst_training_controller.moc"
