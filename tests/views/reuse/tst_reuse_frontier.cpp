// SPDX-License-Identifier: GPL-3.0-or-later
// Runs as points: the better upwards, trivial ones always there, what was not measured nowhere.
#include "tests/views/reuse/reuse_sample.h"
#include "views/common/figure_export.h"
#include "views/reuse/reuse_frontier.h"

#include <QSignalSpy>
#include <QTest>

using namespace tamis;
using namespace tamis::views;

class TstReuseFrontier : public QObject {
    Q_OBJECT

private slots:
    void placesAndClicks()
    {
        ReuseFrontier chart;
        chart.resize(520, 320);
        chart.setRuns(shownRuns(test::sampleReuse()));
        chart.show();
        QVERIFY(QTest::qWaitForWindowExposed(&chart));
        QCOMPARE(chart.shownPoints(), 4);
        QVERIFY(chart.toPixel(1).x() < chart.toPixel(0).x() && chart.toPixel(0).x() < chart.toPixel(2).x()); // 20 %, 40 %, 100 %
        QVERIFY(chart.toPixel(0).y() < chart.toPixel(1).y()); // the smaller error above
        QVERIFY(chart.toPixel(2).y() < chart.toPixel(0).y()); // everything computed: no error
        QSignalSpy activated(&chart, &FrontierChart::pointActivated);
        QTest::mouseClick(&chart, Qt::LeftButton, {}, chart.toPixel(1).toPoint());
        QCOMPARE(activated.size(), 1);
        QCOMPARE(activated[0][0].toInt(), 1);
        QTest::mouseMove(&chart, chart.toPixel(3).toPoint());
        QTRY_COMPARE(chart.hoverLines().value(0), QString("Frames dropped"));
        QCOMPARE(chart.hoverLines().value(1), QString("interval 4"));
    }

    void otherMeasures()
    {
        ReuseFrontier chart;
        chart.resize(520, 320);
        auto report = test::sampleReuse();
        report->runs[1].agreement = 0.5;
        report->runs[3].timeShare = report::kNotMeasured;
        chart.setRuns(shownRuns(report));
        chart.setLoss(ReuseLoss::Agreement);
        QVERIFY(chart.toPixel(0).y() < chart.toPixel(1).y()); // more agreement above
        chart.setCost(ReuseCost::Time);
        QCOMPARE(chart.shownPoints(), 3);
        QCOMPARE(chart.toPixel(3), QPointF(-1, -1));
        chart.setRuns(nullptr);
        QCOMPARE(chart.shownPoints(), 0);
    }

    /// False hits against misses: runs with keys alone, the fewer false hits above.
    void collisions()
    {
        ReuseFrontier chart;
        chart.resize(520, 320);
        auto report = test::sampleReuse();
        for (std::size_t i = 0; i < 2; ++i) {
            report->runs[i].title = "Content keys";
            report->runs[i].hits = i == 0 ? 12 : 6;
            report->runs[i].misses = i == 0 ? 2 : 8;
            report->runs[i].falseHits = i == 0 ? 4 : 1;
        }
        chart.setRuns(shownRuns(report));
        chart.setLoss(ReuseLoss::FalseHits);
        chart.setCost(ReuseCost::Misses);
        QCOMPARE(chart.shownPoints(), 2);
        QVERIFY(chart.toPixel(0).x() < chart.toPixel(1).x() && chart.toPixel(1).y() < chart.toPixel(0).y());
        chart.show();
        QVERIFY(QTest::qWaitForWindowExposed(&chart));
        QTest::mouseMove(&chart, chart.toPixel(1).toPoint());
        QTRY_VERIFY(chart.hoverLines().contains("6 hits, of these 1 false; 8 misses"));
        report->runs[1].falseHitsMeasured = false;
        chart.setRuns(shownRuns(report));
        QCOMPARE(chart.shownPoints(), 1); // and no point at no false hits
        QVERIFY(figureTable(chart).contains(",6,,8,"));
    }

    void table()
    {
        ReuseFrontier chart;
        chart.setRuns(shownRuns(test::sampleReuse()));
        chart.setCaption("vit20 on motion");
        const QStringList lines = figureTable(chart).trimmed().split('\n');
        QCOMPARE(lines[0], QString("# vit20 on motion"));
        QCOMPARE(lines.size(), 2 + 4);
        QCOMPARE(lines[3], QString("reuse.gate,Token gate,threshold 0.3,0,0.2,0.05,0.25,0.06,0.12,0.006,0.9,1.5,2,6,2,8,"));
    }
};

QTEST_MAIN(TstReuseFrontier)
#include "tst_reuse_frontier.moc"
