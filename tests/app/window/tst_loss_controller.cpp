// SPDX-License-Identifier: GPL-3.0-or-later
// Losses of the model with the autoencoder in place, and the switches of the autoencoder's reader, in the window.
#include "app/session/workspace.h"
#include "app/window/loss_controller.h"
#include "app/window/training_controller.h"
#include "core/base/error.h"
#include "core/io/sae_checkpoint.h"
#include "tests/app/window/lab_desk.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"
#include "views/encoder/encoder_pareto_chart.h"
#include "views/encoder/pareto_page.h"
#include "views/encoder/reader_switches.h"

#include <QComboBox>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSettings>

#include <cmath>
#include <filesystem>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;
namespace fs = std::filesystem;

class TstLossController : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_loss_controller"); }

private:
    static bool toLoss(LabDesk& desk)
    {
        auto* combo = desk.child<QComboBox>("paretoLoss");
        combo->setCurrentIndex(combo->findData(static_cast<int>(views::EncoderLoss::LossIncrease)));
        return desk.panel().compare()->chart()->loss() == views::EncoderLoss::LossIncrease;
    }

private slots:
    void initTestCase() { views::Theme::instance().apply(*qApp, views::Theme::Mode::Dark); }
    void init() { QSettings().clear(); }
    void cleanupTestCase() { QSettings().clear(); }

    /// The exact encoder loses nothing over the exact codes; fewer directions lose more.
    void lossesAreOfTheEncoders()
    {
        LossRequest request;
        request.request.sources = openEncoderSources({smallAutoencoder().toStdString(), {}, {}}, {});
        request.model = std::make_shared<RunnableModel>(openWorkspace(dataset("vit20").toStdString(), {}, {}));
        request.block = 3;
        request.photos = dataset("photos").toStdString();
        report::EncoderPoint exact, poor, good;
        exact.method = "encoder.exact";
        exact.exact = true;
        poor.method = good.method = "encoder.low-rank";
        poor.parameters = good.parameters = encoder::findMethod("encoder.low-rank")->declaration.schema.defaults();
        poor.parameters.set("rank", std::int64_t{2});
        good.parameters.set("rank", std::int64_t{100});
        request.points = {exact, poor, good};
        std::vector<encoder::SplicedLoss> losses;
        measureLosses(request, {}, [&](std::size_t point, const encoder::SplicedLoss& loss) {
            QCOMPARE(point, losses.size());
            losses.push_back(loss);
        });
        QCOMPARE(losses.size(), std::size_t(3));
        QCOMPARE(losses[0].encoded.crossEntropy, losses[0].exact.crossEntropy);
        for (const auto& loss : losses) {
            QCOMPARE(loss.dense.crossEntropy, losses[0].dense.crossEntropy);
            QCOMPARE(loss.exact.crossEntropy, losses[0].exact.crossEntropy);
            QCOMPARE(loss.predictions, std::int64_t(20));
        }
        QVERIFY(losses[1].encoded.crossEntropy > losses[2].encoded.crossEntropy);
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(measureLosses(request, RunContext(stop.get_token()), [](std::size_t, const auto&) {}), Error);
    }
    /// Half of the photos are fitted to: they do not count.
    void lossesAreOfTheMeasuredSamples()
    {
        LossRequest request;
        request.model = std::make_shared<RunnableModel>(openWorkspace(dataset("vit20").toStdString(), {}, {}));
        EncoderPaths paths{smallAutoencoder().toStdString(), {}, {}};
        paths.origin = TokenOrigin::Photos;
        request.request.sources = openEncoderSources(paths, {}, {request.model, dataset("photos").toStdString(), {}});
        request.block = 3;
        request.photos = request.request.sources->tokens;
        report::EncoderPoint exact;
        exact.method = "encoder.exact";
        exact.exact = true;
        request.points = {exact};
        QVERIFY(request.request.sources->halved);
        std::int64_t predictions = 0;
        measureLosses(request, {}, [&](std::size_t, const encoder::SplicedLoss& loss) { predictions = loss.predictions; });
        QCOMPARE(predictions, std::int64_t(10)); // of 20
    }
    void withoutAModelItIsSaidPlainly()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(smallAutoencoder()));
        QVERIFY(toLoss(desk));
        QVERIFY(!desk.child<QPushButton>("measureLosses")->isEnabled());
        QVERIFY(desk.child<QPushButton>("measureLosses")->toolTip().contains("no model is open"));
        desk.lab().losses().measure();
        QCOMPARE(desk.window.notice().severity(), views::NoticeBar::Severity::Error);
    }
    void pointsGetTheLossOfTheOpenModel()
    {
        LabDesk desk;
        QVERIFY(desk.open(dataset("vit20")));
        desk.window.open(dataset("photos"));
        desk.window.open(smallAutoencoder());
        desk.run("encoder.show");
        QVERIFY(desk.complete());
        QVERIFY(desk.lab().losses().disabledReason().contains("compared or trained"));
        desk.window.document().change("bench", {}, [](SessionState& state) {
            state.encoder.method = "encoder.low-rank-trained";
            state.encoder.parameters.set("rank", std::int64_t{8});
            state.encoder.parameters.set("steps", std::int64_t{20});
        });
        desk.run("encoder.train");
        QVERIFY(desk.complete());
        QCOMPARE(desk.lab().losses().disabledReason(), QString());
        desk.run("encoder.losses");
        QVERIFY(desk.lab().losses().isMeasuring());
        const auto loss = [&] { return desk.lab().comparison() ? desk.lab().comparison()->points[0].quality.loss : report::kNotMeasured; };
        QVERIFY(desk.waitFor([&] { return !desk.lab().losses().isMeasuring() && std::isfinite(loss()); }));
        const auto& quality = desk.lab().comparison()->points[0].quality;
        QVERIFY(quality.lossDense > 0 && quality.lossExact > 0 && quality.loss != quality.lossExact);
        QVERIFY(desk.child<QLabel>("encoderLossNote")->text().contains("after block 3"));
        QVERIFY(toLoss(desk));
        QCOMPARE(desk.panel().compare()->chart()->shownPoints(), 1);
        QVERIFY(desk.panel().compare()->chart()->figureCsv().contains("loss of the model alone"));
        desk.window.document().change("bench", {}, [](SessionState& state) { state.encoder.k = 8; });
        QVERIFY(!desk.child<QLabel>("encoderLossNote")->isVisible()); // of another k
    }
    void theFileIsReadAgainAsAssumed()
    {
        LabDesk desk;
        auto autoencoder = io::readSparseAutoencoder(smallAutoencoder().toStdString());
        const fs::path folder = fs::path(desk.directory.path().toStdString()) / "scaled";
        io::writeSparseAutoencoder(folder, autoencoder, io::SaeLayout::SaeLens);
        fs::copy_file(TAMIS_SOURCE_DIR "/datasets/sae/vit20.block3.heldout.npy", folder / "heldout.npy");
        const auto rewrite = [&](const char* name, const auto& change) {
            QFile file(QString::fromStdString((folder / name).string()));
            auto json = file.open(QFile::ReadOnly) ? QJsonDocument::fromJson(file.readAll()).object() : QJsonObject();
            file.close();
            change(json);
            QVERIFY(file.open(QFile::WriteOnly));
            file.write(QJsonDocument(json).toJson());
        };
        rewrite("cfg.json", [](QJsonObject& json) { json["normalize_activations"] = "expected_average_only_in"; });
        rewrite("activation_scaler.json", [](QJsonObject& json) { json["scaling_factor"] = 0.5; });
        QVERIFY(desk.openAutoencoder(QString::fromStdString(folder.string())));
        const float stated = desk.lab().sources()->autoencoder->encoder(3, 5);
        QCOMPARE(stated, 0.5F * autoencoder.encoder(3, 5));
        auto* switches = desk.panel().settings()->switches();
        QVERIFY(switches->isVisible());
        QVERIFY(switches->findChild<QLabel*>("readerNotes")->text().contains("expected_average_only_in"));
        auto* scale = switches->findChild<QLineEdit*>("assume-input-scale");
        QVERIFY(scale && !switches->findChild<QComboBox*>("assume-layer-norm"));
        scale->setText("1");
        emit scale->editingFinished();
        QVERIFY(desk.waitFor([&] { return desk.lab().sources()->autoencoder->encoder(3, 5) == 2 * stated; }));
        QVERIFY(desk.complete());
        QCOMPARE(desk.choice().assumed, (std::vector<std::string>{"input-scale=1"}));
        desk.window.document().undoStack().undo();
        QVERIFY(desk.waitFor([&] { return desk.lab().sources()->autoencoder->encoder(3, 5) == stated; }));
        desk.window.document().undoStack().redo();
        QVERIFY(desk.complete());
        desk.answer = desk.path("session.tamis");
        desk.run("file.save-as");
        LabDesk other;
        QVERIFY(other.showWindow());
        other.window.open(desk.answer);
        other.run("encoder.show");
        QVERIFY(other.complete());
        QCOMPARE(other.lab().sources()->autoencoder->encoder(3, 5), 2 * stated);
    }
};

QTEST_MAIN(TstLossController)
#include "tst_loss_controller.moc"
