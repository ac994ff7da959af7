// SPDX-License-Identifier: GPL-3.0-or-later
// The attention-map page in the window: vit20 with its photos and tinylm with its held-out tokens, from opening to a dragged rank.
#include "tests/app/window/desk.h"
#include "views/attention/attention_lens.h"
#include "views/attention/attention_maps.h"
#include "views/lowrank/attention_panel.h"
#include "views/lowrank/low_rank_panel.h"
#include "views/photos/photo_model.h"

#include <QAbstractSpinBox>
#include <QApplication>
#include <QLabel>
#include <QListWidget>
#include <QSignalSpy>
#include <QTabWidget>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;

namespace {
double worst(const std::vector<float>& a, const std::vector<float>& b)
{
    double most = a.size() == b.size() ? 0 : INFINITY;
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i)
        most = std::max(most, std::abs(double(a[i]) - double(b[i])));
    return most;
}

struct MapDesk : Desk {
    views::AttentionPanel& panel() { return window.attentionMaps().panel(); }
    const report::AttentionMapReport& report() { return *panel().report(); }
    bool open(const char* model, const char* photos)
    {
        if (!Desk::open(dataset(model)) || !waitFor([this] { return window.model().report() != nullptr; }))
            return false;
        if (photos)
            window.model().openPhotos(dataset(photos));
        return true;
    }
    void showPage()
    {
        window.showLab(window.lowRankViews().panel);
        window.lowRankViews().panel->showPage(QStringLiteral("attention"));
    }
    bool drawn() // a request is under way as soon as it is made
    {
        return waitFor([this] { return !window.attentionMaps().isBusy() && panel().report() && panel().report()->complete; });
    }
};
} // namespace

class TstAttentionMaps : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_attention_maps"); }

private slots:
    void photosOfVit20()
    {
        MapDesk desk;
        QVERIFY(desk.open("vit20", "photos"));
        QTest::qWait(50);
        QVERIFY(!desk.panel().report()); // out of sight: nothing is computed
        desk.showPage();
        QVERIFY(desk.drawn());
        QCOMPARE(desk.report().tokens, std::int64_t(257));
        QCOMPARE(desk.report().gridWidth, std::int64_t(16));
        QCOMPARE(desk.report().allHeads.size(), std::size_t(24));
        QVERIFY(!desk.report().effects[0].before[0].name.empty());
        QVERIFY(desk.report().warnings.empty());
        QVERIFY(!desk.panel().lens()->tokenRect(false, 100).isEmpty());

        // A rank one lower: a first picture, then the final one; another map of the same photo.
        const auto before = desk.panel().report();
        QSignalSpy shown(&desk.window.attentionMaps(), &AttentionMapController::pictureShown);
        auto* rank = desk.child<QWidget>("attentionParameters")->findChild<QAbstractSpinBox*>("query-rank");
        QVERIFY(rank);
        rank->setFocus();
        for (int i = 0; i < 24; ++i)
            QTest::keyClick(rank, Qt::Key_Down);
        QVERIFY(QTest::qWaitFor([&] { return desk.report().queryRank == before->queryRank - 24 && desk.report().complete; }, 60000));
        QVERIFY(desk.drawn());
        QVERIFY(shown.count() >= 2 && !shown.first()[0].toBool() && shown.last()[0].toBool());
        QVERIFY(worst(desk.report().exact, before->exact) == 0);
        QVERIFY(worst(desk.report().approximate, before->approximate) > 1e-4);
        QVERIFY(desk.report().shown.joint.map > before->shown.joint.map);

        // Another head by its combo, another photo by the strip.
        emit desk.panel().headChosen(3, 2);
        QVERIFY(QTest::qWaitFor([&] { return desk.report().layer == 3 && desk.report().head == 2; }, 60000));
        QVERIFY(desk.drawn());
        QVERIFY(worst(desk.report().exact, before->exact) > 1e-3);
        const auto head = desk.panel().report();
        emit desk.panel().sampleChosen(5);
        QVERIFY(QTest::qWaitFor([&] { return desk.report().sampleIndex == 5; }, 60000));
        QVERIFY(desk.drawn());
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
        MapDesk desk;
        QVERIFY(desk.open("tinylm", nullptr));
        desk.showPage();
        QVERIFY(desk.drawn());
        QCOMPARE(desk.report().tokens, std::int64_t(256));
        QVERIFY(desk.report().causal && desk.report().rotary);
        QCOMPARE(desk.report().tokenLabels.size(), std::size_t(256));
        QCOMPARE(desk.report().effects[0].rows, std::int64_t(256));
        QCOMPARE(desk.report().warnings.size(), std::size_t(1)); // no calibration set is open
        QVERIFY(QString::fromStdString(desk.report().warnings[0]).contains("No calibration set"));
        QVERIFY(desk.panel().values().contains("window"));
        auto* texts = desk.child<QListWidget>("attentionTexts");
        QVERIFY(texts->count() > 10);
        QVERIFY(texts->item(0)->text().contains(' '));
        const auto before = desk.panel().report();
        QTest::mouseClick(texts->viewport(), Qt::LeftButton, {}, texts->visualItemRect(texts->item(2)).center());
        QVERIFY(QTest::qWaitFor([&] { return desk.report().sampleIndex == 2; }, 60000));
        QVERIFY(desk.drawn());
        QVERIFY(worst(desk.report().exact, before->exact) > 1e-3);
        // Closing and opening another model starts anew.
        QVERIFY(desk.open("vit20", nullptr));
        QVERIFY(QTest::qWaitFor([&] { return !desk.panel().report(); }, 60000));
    }
};

QTEST_MAIN(TstAttentionMaps)
#include "tst_attention_maps.moc"
