// SPDX-License-Identifier: GPL-3.0-or-later
// The attention-map page in the window: vit20 with its photos and tinylm with its held-out tokens, from opening to a dragged rank.
#include "app/window/main_window.h"
#include "views/lowrank/attention_lens.h"
#include "views/lowrank/attention_maps.h"
#include "views/lowrank/attention_panel.h"
#include "views/lowrank/low_rank_panel.h"
#include "views/photos/photo_model.h"
#include "views/vtk/vtk_widget.h"

#include <QAbstractSpinBox>
#include <QApplication>
#include <QLabel>
#include <QListWidget>
#include <QSignalSpy>
#include <QStandardPaths>
#include <QTabWidget>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::app;

namespace {
const QString kDatasets = QStringLiteral(TAMIS_SOURCE_DIR "/datasets/");

double worst(const std::vector<float>& a, const std::vector<float>& b)
{
    double most = a.size() == b.size() ? 0 : INFINITY;
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i)
        most = std::max(most, std::abs(double(a[i]) - double(b[i])));
    return most;
}

struct Desk {
    MainWindow window{QString()};
    Desk()
    {
        window.resize(1560, 960);
        window.show();
        (void)QTest::qWaitForWindowExposed(&window, 30000);
    }
    views::AttentionPanel& panel() { return window.attentionMaps().panel(); }
    const report::AttentionMapReport& report() { return *panel().report(); }
    void open(const QString& model, const QString& photos)
    {
        window.open(kDatasets + model);
        QVERIFY(QTest::qWaitFor([this] { return window.workspaces().workspace() && window.spectrum().isUpToDate() && !window.spectrum().lane().isBusy() && window.model().report(); }, 60000));
        if (!photos.isEmpty())
            window.model().openPhotos(kDatasets + photos);
    }
    void showPage()
    {
        window.showLab(window.lowRankViews().panel);
        window.lowRankViews().panel->showPage(QStringLiteral("attention"));
    }
    bool settled() // a request is under way as soon as it is made
    {
        return QTest::qWaitFor([this] { return !window.attentionMaps().isBusy() && panel().report() && panel().report()->complete; }, 60000);
    }
    template <class T> T* part(const char* name) { return window.findChild<T*>(QLatin1String(name)); }
};
} // namespace

class TstAttentionMaps : public QObject {
    Q_OBJECT
public:
    static void initMain()
    {
        QSurfaceFormat::setDefaultFormat(views::VtkWidget::defaultFormat());
        QCoreApplication::setAttribute(Qt::AA_ShareOpenGLContexts);
        QStandardPaths::setTestModeEnabled(true);
        QCoreApplication::setOrganizationName("tamis-test");
        QCoreApplication::setApplicationName("tst_attention_maps");
    }

private slots:
    void photosOfVit20()
    {
        Desk desk;
        desk.open("vit20", "photos");
        QTest::qWait(50);
        QVERIFY(!desk.panel().report()); // out of sight: nothing is computed
        desk.showPage();
        QVERIFY(desk.settled());
        QCOMPARE(desk.report().tokens, std::int64_t(257));
        QCOMPARE(desk.report().gridWidth, std::int64_t(16));
        QCOMPARE(desk.report().allHeads.size(), std::size_t(24));
        QVERIFY(!desk.report().effects[0].before[0].name.empty());
        QVERIFY(desk.report().warnings.empty());
        QVERIFY(!desk.panel().lens()->tokenRect(false, 100).isEmpty());

        // A rank one lower: a first picture, then the final one; another map of the same photo.
        const auto before = desk.panel().report();
        QSignalSpy shown(&desk.window.attentionMaps(), &AttentionMapController::pictureShown);
        auto* rank = desk.part<QWidget>("attentionParameters")->findChild<QAbstractSpinBox*>("query-rank");
        QVERIFY(rank);
        rank->setFocus();
        for (int i = 0; i < 24; ++i)
            QTest::keyClick(rank, Qt::Key_Down);
        QVERIFY(QTest::qWaitFor([&] { return desk.report().queryRank == before->queryRank - 24 && desk.report().complete; }, 60000));
        QVERIFY(desk.settled());
        QVERIFY(shown.count() >= 2 && !shown.first()[0].toBool() && shown.last()[0].toBool());
        QVERIFY(worst(desk.report().exact, before->exact) == 0);
        QVERIFY(worst(desk.report().approximate, before->approximate) > 1e-4);
        QVERIFY(desk.report().shown.joint.map > before->shown.joint.map);

        // Another head by its combo, another photo by the strip.
        emit desk.panel().headChosen(3, 2);
        QVERIFY(QTest::qWaitFor([&] { return desk.report().layer == 3 && desk.report().head == 2; }, 60000));
        QVERIFY(desk.settled());
        QVERIFY(worst(desk.report().exact, before->exact) > 1e-3);
        const auto head = desk.panel().report();
        emit desk.panel().sampleChosen(5);
        QVERIFY(QTest::qWaitFor([&] { return desk.report().sampleIndex == 5; }, 60000));
        QVERIFY(desk.settled());
        QCOMPARE(QString::fromStdString(desk.report().sample), desk.window.modelViews().photoModel->photo(5)->name);
        QVERIFY(worst(desk.report().exact, head->exact) > 1e-3);

        // The spectrum lab's plan replaces operators at keep 0.4 and is offered then.
        desk.window.document().change(QStringLiteral("Keep"), {}, [](SessionState& state) { state.settings.budget.keep = 0.4; });
        QVERIFY(QTest::qWaitFor([&] { return desk.window.spectrum().isUpToDate() && !desk.window.attentionMaps().isBusy() && desk.report().effects.size() == 3; }, 60000));
        emit desk.panel().sourceChosen(report::MapSource::Plan);
        QVERIFY(QTest::qWaitFor([&] { return desk.report().source == report::MapSource::Plan && desk.report().complete; }, 60000));
        QVERIFY(desk.report().shown.plan.map > 0);
    }

    void tokensOfTinylm()
    {
        Desk desk;
        desk.open("tinylm", {});
        desk.showPage();
        QVERIFY(desk.settled());
        QCOMPARE(desk.report().tokens, std::int64_t(256));
        QVERIFY(desk.report().causal && desk.report().rotary);
        QCOMPARE(desk.report().tokenLabels.size(), std::size_t(256));
        QCOMPARE(desk.report().effects[0].rows, std::int64_t(256));
        QCOMPARE(desk.report().warnings.size(), std::size_t(1)); // no calibration set is open
        QVERIFY(QString::fromStdString(desk.report().warnings[0]).contains("No calibration set"));
        QVERIFY(desk.panel().values().contains("window"));
        auto* texts = desk.part<QListWidget>("attentionTexts");
        QVERIFY(texts->count() > 10);
        QVERIFY(texts->item(0)->text().contains(' '));
        const auto before = desk.panel().report();
        QTest::mouseClick(texts->viewport(), Qt::LeftButton, {}, texts->visualItemRect(texts->item(2)).center());
        QVERIFY(QTest::qWaitFor([&] { return desk.report().sampleIndex == 2; }, 60000));
        QVERIFY(desk.settled());
        QVERIFY(worst(desk.report().exact, before->exact) > 1e-3);
        // Closing and opening another model starts anew.
        desk.open("vit20", {});
        QVERIFY(QTest::qWaitFor([&] { return !desk.panel().report(); }, 60000));
    }
};

QTEST_MAIN(TstAttentionMaps)
#include "tst_attention_maps.moc"
