// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/report/recall_surface.h"

#include <QTest>

#include <cmath>

using namespace tamis::report;

class TestRecallSurface : public QObject {
    Q_OBJECT
    static RecallSurface surface()
    {
        RecallSurface made;
        made.exactMacs = 1000;
        made.exactBytesRead = 4000;
        for (const std::int64_t rank : {8, 16})
            for (const std::int64_t candidates : {10, 20}) {
                RecallPoint point{.rank = rank, .candidates = candidates};
                point.recallMean = 0.1 * static_cast<double>(rank) / 4 + 0.02 * static_cast<double>(candidates);
                point.recallP5 = point.recallMean - 0.1;
                point.recallP1 = point.recallMean - 0.2;
                point.recallMin = point.recallMean - 0.3;
                point.macs = static_cast<double>(10 * rank + candidates);
                point.bytesRead = static_cast<double>(rank + 40 * candidates);
                made.points.push_back(point);
            }
        return made;
    }
private slots:
    void theCheapestThatFindsEnough()
    {
        const RecallSurface s = surface();
        const auto* macs = cheapest(s, RecallMeasure::Mean, 0.55, SurfaceCost::Macs); // 0.4, 0.6, 0.6, 0.8 found for 90, 100, 170, 180
        QVERIFY(macs && macs->rank == 8 && macs->candidates == 20);
        const auto* bytes = cheapest(s, RecallMeasure::Mean, 0.55, SurfaceCost::BytesRead); // 408, 808, 416, 816
        QVERIFY(bytes && bytes->rank == 16 && bytes->candidates == 10);
        const auto* tail = cheapest(s, RecallMeasure::Least, 0.45, SurfaceCost::Macs);
        QVERIFY(tail && tail->rank == 16 && tail->candidates == 20);
        QVERIFY(!cheapest(s, RecallMeasure::Mean, 0.95, SurfaceCost::Macs));
    }
    void everyOtherOneIsDearerOrFindsLess()
    {
        const RecallSurface s = surface();
        for (const auto measure : {RecallMeasure::Mean, RecallMeasure::P5, RecallMeasure::P1, RecallMeasure::Least})
            for (const auto cost : {SurfaceCost::Macs, SurfaceCost::BytesRead})
                for (double share = 0; share < 1; share += 0.07) {
                    double least = INFINITY;
                    for (const auto& point : s.points)
                        if (recallAt(point, measure) >= share)
                            least = std::min(least, costAt(point, cost));
                    const auto* found = cheapest(s, measure, share, cost);
                    QCOMPARE(found != nullptr, std::isfinite(least));
                    if (found)
                        QCOMPARE(costAt(*found, cost), least);
                }
    }
    void whatWasNotMeasuredFindsNothing()
    {
        RecallSurface s = surface();
        for (auto& point : s.points)
            point.recallMean = kNotMeasured;
        QVERIFY(!cheapest(s, RecallMeasure::Mean, 0, SurfaceCost::Macs));
        QCOMPARE(exactCost(s, SurfaceCost::Macs), 1000.0);
        QCOMPARE(exactCost(s, SurfaceCost::BytesRead), 4000.0);
    }
};

QTEST_APPLESS_MAIN(TestRecallSurface)
#include "tst_recall_surface.moc"
