// SPDX-License-Identifier: GPL-3.0-or-later
// Autoencoders in the window: opened, dropped, closed, kept in a session.
#include "tests/app/window/lab_desk.h"
#include "views/common/theme.h"
#include "views/common/copyable_table_view.h"
#include "views/common/notice_bar.h"
#include "views/encoder/coarse_exact_view.h"
#include "views/encoder/cost_page.h"
#include "views/encoder/encoder_cost_model.h"
#include "views/encoder/recall_page.h"
#include "views/encoder/token_page.h"
#include "views/plan/cost_header.h"
#include "views/workspace/workspace_model.h"
#include "views/workspace/workspace_tree.h"

#include <QDragEnterEvent>
#include <QDropEvent>
#include <QFile>
#include <QLabel>
#include <QMimeData>
#include <QSettings>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

class TstEncoderOpening : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_encoder_opening"); }
private slots:
    void initTestCase() { views::Theme::instance().apply(*qApp, views::Theme::Mode::Dark); }
    void init() { QSettings().clear(); }
    void cleanupTestCase() { QSettings().clear(); }

    void anAutoencoderOpensWithoutAModel()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(smallAutoencoder()));
        QVERIFY(desk.labs()->currentWidget()->isAncestorOf(&desk.panel()));
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
        QCOMPARE(tree->model()->autoencoder(), smallAutoencoder());
        savePicture(desk.window, "encoder-token");
    }
    void dropsAndModelsGoTogether()
    {
        LabDesk desk;
        QVERIFY(desk.showWindow());
        QMimeData mime;
        mime.setUrls({QUrl::fromLocalFile(smallAutoencoder())});
        QDragEnterEvent enter(QPoint(100, 100), Qt::CopyAction, &mime, Qt::LeftButton, {});
        QCoreApplication::sendEvent(&desk.window, &enter);
        QDropEvent drop(QPointF(100, 100), Qt::CopyAction, &mime, Qt::LeftButton, {});
        QCoreApplication::sendEvent(&desk.window, &drop);
        QVERIFY(desk.complete());
        desk.window.open(dataset("vit20"));
        QVERIFY(desk.settled());
        QVERIFY(desk.window.workspaces().workspace() != nullptr);
        QCOMPARE(QString::fromStdString(desk.choice().autoencoder), smallAutoencoder()); // stays beside the model
        QVERIFY(desk.lab().picture() != nullptr);
    }
    void aFailedOpenChangesNothing()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(smallAutoencoder()));
        const auto before = desk.lab().picture();
        const int steps = desk.window.document().undoStack().count();
        desk.lab().openTokens(dataset("tinylm/heldout.npy")); // token ids, no activations
        QVERIFY(desk.waitFor([&] { return !desk.window.jobs().isRunning() && !desk.lab().isBusy(); }));
        QCOMPARE(desk.window.notice().severity(), views::NoticeBar::Severity::Error);
        QCOMPARE(desk.window.document().undoStack().count(), steps);
        QCOMPARE(desk.lab().picture(), before);
        desk.lab().open(desk.path("nothing"));
        QVERIFY(desk.waitFor([&] { return !desk.window.jobs().isRunning() && !desk.lab().isBusy(); }));
        QCOMPARE(QString::fromStdString(desk.choice().autoencoder), smallAutoencoder());
        QVERIFY(desk.lab().isUpToDate());
    }
    void closingAndUndoingIt()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(dataset("sae/tinylm.block3.k32/sparsify")));
        desk.run("encoder.close");
        QVERIFY(!desk.lab().picture());
        QVERIFY(desk.child<QWidget>("encoderEmpty")->isVisible());
        QCOMPARE(desk.window.encoderViews().tree->model()->rowCount(), 0);
        QVERIFY(!desk.lab().openDisabledReason().isEmpty());
        desk.window.document().undoStack().undo();
        QVERIFY(desk.complete());
        QVERIFY(!desk.child<QWidget>("encoderEmpty")->isVisible());
    }
    void theSessionBringsItBack()
    {
        LabDesk desk;
        QVERIFY(desk.openAutoencoder(smallAutoencoder()));
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

QTEST_MAIN(TstEncoderOpening)
#include "tst_encoder_opening.moc"
