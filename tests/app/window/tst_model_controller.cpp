// SPDX-License-Identifier: GPL-3.0-or-later
// The model tab in the window, on the bundled model and photos: costs, evaluation, capture, measurements, photos.
#include "app/images/image_loading.h"
#include "core/cost/checkpoint_cost.h"
#include "core/io/calibration.h"
#include "core/nn/model.h"
#include "tests/app/window/desk.h"
#include "views/model/activation_statistics_model.h"
#include "views/model/activation_statistics_view.h"
#include "views/model/cost_table.h"
#include "views/model/evaluation_view.h"
#include "views/model/layer_chain.h"
#include "views/model/model_panel.h"
#include "views/model/quality_table_model.h"
#include "views/model/roofline_plot.h"
#include "views/model/roofline_view.h"
#include "views/common/line_chart.h"
#include "views/common/heat_map.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"
#include "views/photos/photo_grid.h"
#include "views/photos/photo_list.h"
#include "views/photos/photo_model.h"
#include "views/spectrum/spectrum_panel.h"
#include "views/workspace/workspace_model.h"
#include "views/workspace/workspace_tree.h"

#include <QApplication>
#include <QDragEnterEvent>
#include <QDropEvent>
#include <QDir>
#include <QMimeData>
#include <QPushButton>
#include <QSettings>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTabWidget>
#include <QTest>
#include <QTreeView>

#include <cmath>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

namespace {
const QString kModel = dataset("vit20"), kPhotos = dataset("photos");

struct ModelDesk : Desk {
    bool settled() override { return Desk::settled() && waitFor([this] { return !window.model().isBusy(); }); }
    bool open(const QString& path, double keep = 1)
    {
        if (!Desk::open(path))
            return false;
        setKeep(keep);
        return settled();
    }
    void setKeep(double keep)
    {
        window.document().change(QStringLiteral("Keep"), {}, [keep](SessionState& state) { state.settings.budget.keep = keep; });
    }
    views::ModelPanel& panel() { return *window.modelViews().panel; }
    const report::ModelCostReport& costs() { return *window.model().report(); }
    const report::LayerCost* layer(const std::string& name)
    {
        for (const auto& l : costs().layers)
            if (l.name == name)
                return &l;
        return nullptr;
    }
};
} // namespace

class TstModelController : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_model_controller"); }
private slots:
    void initTestCase() { views::Theme::instance().apply(*qApp, views::Theme::Mode::Dark); }
    void init() { QSettings().clear(); }
    void cleanupTestCase() { QSettings().clear(); }

    void costsAreThoseOfTheCostModel()
    {
        ModelDesk desk;
        QVERIFY(desk.open(kModel));
        const auto expected = cost::modelCost(*desk.window.workspaces().workspace()->checkpoint);
        QCOMPARE(desk.costs().parameters, expected.parameters);
        QCOMPARE(desk.costs().macs, expected.macs);
        QCOMPARE(desk.costs().layers.size(), expected.layers.size());
        QVERIFY(std::isfinite(desk.costs().predictedMs)); // against the first preset
        std::size_t boxes = 0;
        for (const auto& box : desk.panel().chain()->chainLayout().boxes)
            boxes += box.kind == views::ChainBox::Kind::Layer;
        QCOMPARE(boxes, expected.layers.size());
        QVERIFY(!desk.panel().activations()->isEmpty()); // the calibration set beside the model
        QCOMPARE(desk.panel().activations()->model()->rowCount(), static_cast<int>(desk.window.workspaces().workspace()->calibration->siteNames().size()));
    }

    void thePlanIsInTheCosts()
    {
        ModelDesk desk;
        QVERIFY(desk.open(kModel, 0.5));
        const auto& picture = *desk.window.spectrum().picture();
        int replaced = 0;
        for (const auto& chosen : picture.budget.matrices) {
            const auto* layer = desk.layer(chosen.name);
            QVERIFY2(layer || chosen.dense, chosen.name.c_str()); // position tables are no operators
            if (chosen.dense && !layer)
                continue;
            if (chosen.dense) {
                QCOMPARE(layer->form, std::string("dense"));
                continue;
            }
            ++replaced;
            QCOMPARE(layer->form, picture.budget.accounting);
            QCOMPARE(layer->rank, chosen.rank);
        }
        QVERIFY(replaced > 0);
        // The whole: what the plan's own accounting saves, biases and norms aside.
        const auto dense = cost::modelCost(*desk.window.workspaces().workspace()->checkpoint);
        QCOMPARE(dense.parameters - desk.costs().parameters, picture.budget.before.parameters - picture.budget.after.parameters);
        QVERIFY(desk.costs().macs < dense.macs);
        desk.setKeep(1);
        QVERIFY(desk.settled());
        QCOMPARE(desk.costs().parameters, dense.parameters);
        QCOMPARE(desk.costs().macs, dense.macs);
    }

    void selectionGoesBothWays()
    {
        ModelDesk desk;
        QVERIFY(desk.open(kModel));
        const int changes = desk.window.document().undoStack().count();
        desk.window.showLab(&desk.panel());
        QTest::qWait(50);
        auto* chain = desk.panel().chain();
        for (int box = 0; box < static_cast<int>(chain->chainLayout().boxes.size()); ++box)
            if (chain->boxText(box).startsWith("blocks.3.mlp.fc1\n"))
                QTest::mouseClick(chain->viewport(), Qt::LeftButton, {}, chain->boxOnScreen(box).center().toPoint());
        QCOMPARE(desk.window.document().state().selection.current, std::string("blocks.3.mlp.fc1"));
        QCOMPARE(desk.window.views().panel->selection(), QStringList{"blocks.3.mlp.fc1"});
        desk.window.views().tree->setSelection({});
        emit desk.window.views().tree->matricesSelected({"blocks.1.attn.qkv"});
        QCOMPARE(chain->selection(), QStringList{"blocks.1.attn.qkv"});
        QCOMPARE(desk.panel().costs()->selection(), QStringList{"blocks.1.attn.qkv"});
        QCOMPARE(desk.window.document().undoStack().count(), changes); // looking is no change
    }

    void evaluatingOnPhotos()
    {
        ModelDesk desk;
        QVERIFY(desk.open(kModel, 0.5));
        desk.answer = kPhotos;
        QSignalSpy evaluated(&desk.window.model(), &ModelController::evaluated);
        desk.run("model.evaluate");
        QTRY_COMPARE_WITH_TIMEOUT(evaluated.size(), 1, 60000);
        const auto& report = *desk.window.model().evaluation();
        QCOMPARE(report.predictions.size(), std::size_t(20));
        QVERIFY(!report.quality.top1.present()); // no labels beside the photos
        QVERIFY(report.fidelity.agreement.present());
        QCOMPARE(report.layers.size(), std::size_t(6));
        QCOMPARE(report.heads.size(), std::size_t(24));
        QCOMPARE(report.classNames.size(), std::size_t(20));
        auto* view = desk.panel().evaluation();
        QCOMPARE(view->chart()->series().size(), std::size_t(2));
        QVERIFY(!view->heads()->isEmpty());
        desk.window.showLab(&desk.panel());
        QTest::qWait(150);
        savePicture(desk.window, "window-model-evaluation");
        auto* stale = view->findChild<QWidget*>("evaluationStale");
        QVERIFY(!stale->isVisible());
        desk.setKeep(0.4);
        QVERIFY(desk.settled());
        QVERIFY(stale->isVisible()); // the plan has changed since
    }

    void anEvaluationCanBeStopped()
    {
        ModelDesk desk;
        QVERIFY(desk.open(kModel, 0.5));
        desk.answer = kPhotos;
        desk.run("model.evaluate");
        auto* stop = desk.panel().findChild<QPushButton*>("stopModel");
        desk.window.showLab(&desk.panel());
        QVERIFY(stop->isVisible());
        QTest::mouseClick(stop, Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(!desk.window.jobs().isRunning(), 20000);
        QCOMPARE(desk.window.jobs().jobs().back().state, JobState::Cancelled);
        QVERIFY(!stop->isVisible());
        QVERIFY(!desk.window.model().evaluation());
    }

    void whatCannotBeReadGetsASentence()
    {
        ModelDesk desk;
        QVERIFY(desk.open(kModel));
        desk.answer = desk.directory.path(); // holds no photo
        QSignalSpy failed(&desk.window.model(), &ModelController::failed);
        desk.run("model.evaluate");
        QTRY_COMPARE_WITH_TIMEOUT(failed.size(), 1, 30000);
        QVERIFY2(failed[0][0].toString().contains("no photo"), qPrintable(failed[0][0].toString()));
        QVERIFY(desk.window.notice().text().contains("no photo"));
        desk.answer.clear(); // the question is dismissed
        const auto jobs = desk.window.jobs().jobs().size();
        desk.run("model.capture");
        QCOMPARE(desk.window.jobs().jobs().size(), jobs);
    }

    void capturingOpensTheCalibrationSet()
    {
        ModelDesk desk;
        QVERIFY(desk.open(kModel));
        desk.answer = kPhotos;
        desk.saveAs = desk.directory.filePath("mine"); // ".h5" is put behind
        desk.run("model.capture");
        QTRY_VERIFY_WITH_TIMEOUT(QFileInfo::exists(desk.directory.filePath("mine.h5")), 60000);
        QVERIFY(desk.settled());
        const auto& workspace = *desk.window.workspaces().workspace();
        QVERIFY(workspace.calibration);
        QCOMPARE(QString::fromStdString(workspace.calibration->path().string()), desk.directory.filePath("mine.h5"));
        QVERIFY2(workspace.warnings.empty(), workspace.warnings.empty() ? "" : workspace.warnings[0].c_str()); // of this very model
        const auto& sites = desk.panel().activations()->model()->statistics();
        QCOMPARE(sites.size(), workspace.calibration->siteNames().size());
        QVERIFY(sites[0].rms > 0);
    }

    void measuringLatencies()
    {
        ModelDesk desk;
        QVERIFY(desk.open(kModel, 0.5));
        desk.run("model.measure");
        QTRY_VERIFY_WITH_TIMEOUT(!desk.window.jobs().isRunning(), 60000);
        QVERIFY(desk.settled());
        QVERIFY(desk.costs().measuredMs > 0);
        QVERIFY(desk.layer("blocks.0.attn.qkv")->measuredMs > 0);
        QVERIFY(desk.layer("blocks.0.attn.qkv")->measuredMs < desk.costs().measuredMs);
        int filled = 0;
        for (const auto& dot : desk.panel().roofline()->plot()->dots())
            filled += dot.measured;
        QVERIFY(filled > 20);
        desk.setKeep(0.7); // another plan: the measurements are not of it
        QVERIFY(desk.settled());
        QVERIFY(!std::isfinite(desk.costs().measuredMs));
        desk.setKeep(0.5); // the spectra are remembered, but this is another picture
        QVERIFY(desk.settled());
    }

    void measuringTheMachineGivesAPreset()
    {
        ModelDesk desk;
        QVERIFY(desk.open(kModel));
        desk.run("model.measure-machine");
        QTRY_VERIFY_WITH_TIMEOUT(!desk.window.jobs().isRunning(), 60000);
        QVERIFY(desk.settled());
        QVERIFY(desk.costs().ceilings.measured);
        QVERIFY(desk.costs().ceilings.gflops > 0);
        const double gflops = desk.costs().ceilings.gflops;
        ModelDesk later; // remembered
        QVERIFY(later.open(kModel));
        QVERIFY(std::abs(later.costs().ceilings.gflops - gflops) < 0.01 * gflops);
    }

    void batchChangesTheIntensity()
    {
        ModelDesk desk;
        QVERIFY(desk.open(kModel));
        const double before = desk.layer("blocks.0.attn.qkv")->intensity;
        auto* tokens = desk.panel().findChild<QSpinBox*>("modelTokens");
        QVERIFY(!tokens->isEnabled()); // the picture's size decides
        desk.panel().findChild<QSpinBox*>("modelBatch")->setValue(32);
        QVERIFY(desk.settled());
        QCOMPARE(desk.costs().batch, 32);
        QVERIFY(desk.layer("blocks.0.attn.qkv")->intensity > before);
    }

    void photosWithAndWithoutAPlan()
    {
        ModelDesk desk;
        QVERIFY(desk.open(kModel));
        QMimeData mime;
        mime.setUrls({QUrl::fromLocalFile(kPhotos)});
        QDragEnterEvent enter(QPoint(200, 200), Qt::CopyAction, &mime, Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(&desk.window, &enter);
        QDropEvent drop(QPointF(200, 200), Qt::CopyAction, &mime, Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(&desk.window, &drop);
        QVERIFY(desk.settled());
        auto* photos = desk.window.modelViews().photoModel;
        QCOMPARE(photos->rowCount(), 20);
        QVERIFY(desk.window.findChild<QTabWidget*>("labs")->currentWidget()->isAncestorOf(desk.window.modelViews().photos));
        for (int row = 0; row < 20; ++row) {
            const auto classes = photos->index(row).data(views::PhotoModel::PredictionsRole).toList();
            QCOMPARE(classes.size(), 5);
            double sum = 0, last = 1;
            for (const auto& one : classes) {
                const double p = one.toMap()["probability"].toDouble();
                QVERIFY(p <= last + 1e-12);
                last = p;
                sum += p;
            }
            QVERIFY(sum > 0 && sum <= 1 + 1e-6);
            QVERIFY(!classes[0].toMap()["name"].toString().startsWith("class "));
            QVERIFY(!photos->index(row).data(views::PhotoModel::CreditRole).toString().isEmpty());
        }
        QTRY_VERIFY(!photos->index(0).data(views::PhotoModel::ThumbnailRole).value<QImage>().isNull());
        QVERIFY(!photos->compares());
        desk.setKeep(0.4);
        QVERIFY(desk.settled());
        QVERIFY(photos->compares());
        QTest::qWait(150);
        savePicture(desk.window, "window-model-photos");
        // In the tree, and closed from it.
        auto* tree = desk.window.views().tree;
        QCOMPARE(tree->model()->photos(), kPhotos);
        // They belong to the session: undo leaves them, a session without them closes them, one with them opens them.
        SessionState with = desk.window.document().state(), without = with;
        QCOMPARE(QString::fromStdString(with.selection.photos), kPhotos);
        desk.window.document().undoStack().undo();
        QCOMPARE(photos->rowCount(), 20);
        without.selection.photos.clear();
        desk.window.document().reset(without);
        QCOMPARE(photos->rowCount(), 0);
        desk.window.document().reset(with);
        QVERIFY(desk.settled());
        QCOMPARE(photos->rowCount(), 20);
        emit tree->closeRequested(kPhotos);
        QCOMPARE(photos->rowCount(), 0);
        QVERIFY(tree->model()->photos().isEmpty());
        QVERIFY(desk.window.workspaces().workspace()); // the model stays
    }

    void photosWithoutAModel()
    {
        ModelDesk desk;
        QVERIFY(QTest::qWaitForWindowExposed(&desk.window, 30000));
        desk.window.open(kPhotos);
        QVERIFY(desk.settled());
        auto* photos = desk.window.modelViews().photoModel;
        QCOMPARE(photos->rowCount(), 20);
        QVERIFY(photos->index(0).data(views::PhotoModel::PredictionsRole).toList().isEmpty());
        desk.window.open(kModel);
        QVERIFY(desk.settled());
        QTRY_COMPARE_WITH_TIMEOUT(photos->index(0).data(views::PhotoModel::PredictionsRole).toList().size(), 5, 20000);
    }

    void aCheckpointThatCannotRunSaysSo()
    {
        ModelDesk desk;
        const QString copy = desk.directory.filePath("model");
        QVERIFY(QDir().mkpath(copy));
        QVERIFY(QFile::copy(kModel + "/model.safetensors", copy + "/model.safetensors"));
        QVERIFY(QTest::qWaitForWindowExposed(&desk.window, 30000));
        desk.window.open(copy); // without config.json
        QVERIFY(desk.settled());
        QVERIFY(desk.window.workspaces().workspace()); // the spectra are there all the same
        QVERIFY(!desk.window.model().report());
        auto* empty = desk.panel().findChild<QWidget*>("modelEmpty");
        desk.window.showLab(&desk.panel());
        QVERIFY(empty->isVisible());
        QCOMPARE(empty->accessibleName(), QStringLiteral("This checkpoint cannot be run"));
        QVERIFY(empty->accessibleDescription().size() > 20);
        QVERIFY(!desk.window.commands().action("model.evaluate")->isEnabled() || !desk.window.model().disabledReason().isEmpty());
    }

    void pictures()
    {
        ModelDesk desk;
        QVERIFY(desk.open(kModel, 0.5));
        desk.window.showLab(&desk.panel());
        auto* tabs = desk.panel().findChild<QTabWidget*>("modelTabs");
        views::Theme::instance().apply(*qApp, views::Theme::Mode::Light);
        for (int tab = 0; tab < 3; ++tab) {
            tabs->setCurrentIndex(tab);
            QTest::qWait(120);
            QVERIFY(!desk.window.grab().isNull());
            savePicture(desk.window, QStringLiteral("window-model-%1").arg(tab));
        }
    }
};

QTEST_MAIN(TstModelController)
#include "tst_model_controller.moc"
