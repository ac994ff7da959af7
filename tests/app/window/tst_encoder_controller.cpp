// SPDX-License-Identifier: GPL-3.0-or-later
// The encoder tab in the window, on the bundled autoencoders: opening, edits, the cut, comparing, the session.
#include "app/session/session_file.h"
#include "tests/app/window/desk.h"
#include "views/common/copyable_table_view.h"
#include "views/common/line_chart.h"
#include "views/common/notice_bar.h"
#include "views/common/theme.h"
#include "views/encoder/certificate_page.h"
#include "views/encoder/coarse_exact_view.h"
#include "views/encoder/cost_page.h"
#include "views/encoder/encoder_cost_model.h"
#include "views/encoder/encoder_panel.h"
#include "views/encoder/encoder_pareto_chart.h"
#include "views/encoder/encoder_settings.h"
#include "views/encoder/pareto_page.h"
#include "views/encoder/recall_page.h"
#include "views/encoder/token_page.h"
#include "views/plan/cost_header.h"
#include "views/workspace/workspace_model.h"
#include "views/workspace/workspace_tree.h"

#include <QComboBox>
#include <QDragEnterEvent>
#include <QDropEvent>
#include <QFile>
#include <QLabel>
#include <QMimeData>
#include <QPushButton>
#include <QSettings>
#include <QSlider>
#include <QTabWidget>
#include <QTest>
#include <QTreeView>

#include <cmath>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

namespace {
const QString kSmall = dataset("sae/vit20.block3.k16/sparsify"), kOther = dataset("sae/tinylm.block3.k32/sparsify");

struct LabDesk : Desk {
    LabDesk() { yes = true; }
    EncoderController& lab() { return window.encoder(); }
    views::EncoderPanel& panel() { return *window.encoderViews().panel; }
    const EncoderChoice& choice() { return window.document().state().encoder; }
    bool showWindow()
    {
        if (!QTest::qWaitForWindowExposed(&window, kExposed))
            return false;
        QApplication::setActiveWindow(&window);
        return true;
    }
    /// Opened, its tab in front, the whole picture with its latencies on screen.
    bool openAutoencoder(const QString& path)
    {
        if (!showWindow())
            return false;
        window.open(path);
        return complete();
    }
    bool complete()
    {
        return waitFor([this] { return !window.jobs().isRunning() && !lab().isBusy() && lab().isUpToDate() && !lab().picture()->report->latency.empty(); });
    }
    QTabWidget* labs() { return child<QTabWidget>("labs"); }
};
} // namespace

class TstEncoderController : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_encoder_controller"); }
private slots:
    void initTestCase() { views::Theme::instance().apply(*qApp, views::Theme::Mode::Dark); }
    void init() { QSettings().clear(); }
    void cleanupTestCase() { QSettings().clear(); }

    void anAutoencoderOpensWithoutAModel()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(kSmall));
        QCOMPARE(desk.labs()->currentWidget(), static_cast<QWidget*>(&desk.panel()));
        QVERIFY(!desk.child<views::CostHeader>("costHeader")->isVisible());
        QVERIFY(desk.panel().settings()->isVisible()); // in the dock
        const auto& report = *desk.lab().picture()->report;
        QCOMPARE(report.latents, std::int64_t(2048));
        QCOMPARE(report.k, std::int64_t(16));
        QVERIFY(report.quality.recallMean > 0.5 && report.quality.recallMean < 1);
        QVERIFY(desk.child<QLabel>("encoderState")->text().contains("Recall"));
        QVERIFY(desk.child<QLabel>("encoderSummary")->text().contains("fitted to the first 384 rows"));
        QVERIFY(desk.panel().token()->view()->ranking());
        QCOMPARE(desk.panel().cost()->model()->rowCount(), 6);
        const auto* tree = desk.window.encoderViews().tree;
        QCOMPARE(tree->model()->rowCount(), 1);
        QCOMPARE(tree->model()->autoencoder(), kSmall);
        savePicture(desk.window, "encoder-token");
    }
    void dropsAndModelsGoTogether()
    {
        LabDesk desk;
        QVERIFY(desk.showWindow());
        QMimeData mime;
        mime.setUrls({QUrl::fromLocalFile(kSmall)});
        QDragEnterEvent enter(QPoint(100, 100), Qt::CopyAction, &mime, Qt::LeftButton, {});
        QCoreApplication::sendEvent(&desk.window, &enter);
        QDropEvent drop(QPointF(100, 100), Qt::CopyAction, &mime, Qt::LeftButton, {});
        QCoreApplication::sendEvent(&desk.window, &drop);
        QVERIFY(desk.complete());
        desk.window.open(dataset("vit20"));
        QVERIFY(desk.settled());
        QVERIFY(desk.window.workspaces().workspace() != nullptr);
        QCOMPARE(QString::fromStdString(desk.choice().autoencoder), kSmall); // stays beside the model
        QVERIFY(desk.lab().picture() != nullptr);
    }
    void aFailedOpenChangesNothing()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(kSmall));
        const auto before = desk.lab().picture();
        const int steps = desk.window.document().undoStack().count();
        desk.lab().openTokens(dataset("tinylm/heldout.npy")); // token ids, no activations
        QVERIFY(desk.waitFor([&] { return !desk.window.jobs().isRunning() && !desk.lab().isBusy(); }));
        QCOMPARE(desk.window.notice().severity(), views::NoticeBar::Severity::Error);
        QCOMPARE(desk.window.document().undoStack().count(), steps);
        QCOMPARE(desk.lab().picture(), before);
        desk.lab().open(desk.path("nothing"));
        QVERIFY(desk.waitFor([&] { return !desk.window.jobs().isRunning() && !desk.lab().isBusy(); }));
        QCOMPARE(QString::fromStdString(desk.choice().autoencoder), kSmall);
        QVERIFY(desk.lab().isUpToDate());
    }
    void editsRedrawAndADragIsOneStep()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(kSmall));
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
        QVERIFY(desk.openAutoencoder(kSmall));
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
        QVERIFY(desk.openAutoencoder(kSmall));
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
        QVERIFY(desk.openAutoencoder(kSmall));
        auto* combo = desk.panel().settings()->findChild<QComboBox*>("encoderMethod");
        combo->setCurrentIndex(combo->findData("encoder.certified"));
        emit combo->activated(combo->currentIndex());
        QVERIFY(desk.complete());
        QCOMPARE(desk.lab().picture()->report->quality.recallMin, 1.0);
        QVERIFY(desk.panel().certificate()->shows());
        QVERIFY(!desk.panel().certificate()->law()->series().empty());
        desk.panel().showPage("certificate");
        savePicture(desk.window, "encoder-certificate");
    }
    void encodersAreComparedAndAPointIsTaken()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(kSmall));
        desk.run("encoder.compare");
        QVERIFY(!desk.lab().compareDisabledReason().isEmpty()); // one at a time
        QVERIFY(desk.waitFor([&] { return !desk.window.jobs().isRunning() && desk.lab().comparison(); }));
        const auto comparison = desk.lab().comparison();
        QCOMPARE(comparison->points.size(), comparison->planned);
        QCOMPARE(desk.panel().page(), QStringLiteral("compare"));
        auto* chart = desk.panel().compare()->chart();
        int small = -1;
        for (int at = 0; at < static_cast<int>(comparison->points.size()); ++at)
            if (comparison->points[static_cast<std::size_t>(at)].method == "encoder.low-rank" && small < 0)
                small = at;
        QVERIFY(small >= 0);
        savePicture(desk.window, "encoder-compare");
        chart->setFocus();
        QTest::mouseClick(chart, Qt::LeftButton, {}, chart->toPixel(small).toPoint());
        QVERIFY(desk.complete());
        const auto& point = comparison->points[static_cast<std::size_t>(small)];
        QCOMPARE(desk.choice().parameters, point.parameters);
        QCOMPARE(desk.lab().picture()->report->quality.recallMean, point.quality.recallMean); // on the same tokens
        QVERIFY(desk.lab().compareDisabledReason().isEmpty());
    }
    void aComparisonStops()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(kSmall));
        desk.lab().compare();
        QVERIFY(desk.waitFor([&] { return desk.lab().comparison() && !desk.lab().comparison()->points.empty(); }));
        QTest::mouseClick(desk.child<QPushButton>("stopEncoder"), Qt::LeftButton);
        QVERIFY(desk.waitFor([&] { return !desk.window.jobs().isRunning(); }));
        QVERIFY(!desk.lab().comparison()->points.empty()); // what is finished stays
        QVERIFY(!desk.child<QPushButton>("stopEncoder")->isVisible());
    }
    void theSessionBringsItBack()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(kSmall));
        desk.window.document().change("bench", {}, [](SessionState& state) {
            state.encoder.k = 8;
            state.encoder.method = "encoder.low-rank";
            state.encoder.parameters.set("rank", std::int64_t{24});
            state.encoder.cut = 40;
            state.selection.encoderToken = 33;
            state.selection.encoderPage = "recall";
        });
        QVERIFY(desk.complete());
        const double recall = desk.lab().picture()->report->quality.recallMean;
        desk.answer = desk.path("session.tamis");
        desk.run("file.save-as");
        LabDesk other;
        QVERIFY(other.showWindow());
        other.window.open(desk.answer);
        other.run("encoder.show");
        QVERIFY(other.complete());
        QCOMPARE(other.lab().picture()->report->quality.recallMean, recall);
        QCOMPARE(other.lab().cut(), std::int64_t(40));
        QCOMPARE(other.panel().page(), QStringLiteral("recall"));
        QCOMPARE(other.panel().token()->token(), std::int64_t(33));
        QCOMPARE(other.panel().recall()->recall().cut, std::int64_t(40));
        savePicture(other.window, "encoder-recall");
    }
    void closingAndUndoingIt()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(kOther));
        desk.run("encoder.close");
        QVERIFY(!desk.lab().picture());
        QVERIFY(desk.child<QWidget>("encoderEmpty")->isVisible());
        QCOMPARE(desk.window.encoderViews().tree->model()->rowCount(), 0);
        QVERIFY(!desk.lab().openDisabledReason().isEmpty());
        desk.window.document().undoStack().undo();
        QVERIFY(desk.complete());
        QVERIFY(!desk.child<QWidget>("encoderEmpty")->isVisible());
    }
    void nothingIsComputedOutOfSight()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(kSmall));
        desk.labs()->setCurrentIndex(0);
        const int requests = desk.lab().lane().counts().requests;
        desk.window.document().change("bench", {}, [](SessionState& state) { state.encoder.parameters.set("rank", std::int64_t{12}); });
        QTest::qWait(50);
        QCOMPARE(desk.lab().lane().counts().requests, requests);
        desk.run("encoder.show");
        QVERIFY(desk.complete());
        QCOMPARE(desk.lab().picture()->request.parameters.integer("rank"), std::int64_t(12));
    }
    void theBundledOneOpensByItsCommand()
    {
        LabDesk desk;
        QVERIFY(desk.showWindow());
        desk.run("encoder.bundled");
        QVERIFY(desk.complete());
        desk.answer = desk.path("cost.csv");
        emit desk.panel().cost()->table()->exportRequested(views::FigureFormat::Csv);
        QFile file(desk.answer);
        QVERIFY(file.open(QFile::ReadOnly));
        const QString text = QString::fromUtf8(file.readAll());
        QVERIFY(text.startsWith("# ") && text.contains("encoder.low-rank") && text.contains("MACs a token"));
    }
};

QTEST_MAIN(TstEncoderController)
#include "tst_encoder_controller.moc"
