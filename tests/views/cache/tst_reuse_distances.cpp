// SPDX-License-Identifier: GPL-3.0-or-later
// Reuse distances in space and flat: the same counts, and a mark that stands where the size says.
#include "tests/views/cache_sample.h"
#include "views/cache/reuse_distance_view.h"
#include "views/common/heat_map.h"

#include <QImage>
#include <QTest>
#include <QToolButton>

#include <cmath>

using namespace tamis;
using namespace tamis::views;
using namespace tamis::test;

class TstReuseDistances : public QObject {
    Q_OBJECT
private slots:
    void theFlatMapHoldsTheCounts()
    {
        ReuseDistanceView view;
        view.setTrace(traceSample());
        const HeatGrid& grid = view.flat()->grid();
        QCOMPARE(grid.rows, 4);
        QCOMPARE(grid.columns, 4);
        QCOMPARE(grid.values[static_cast<std::size_t>(3 * 4 + 1)], 100.0); // the least distance stands below; column 1, bin 0
        QCOMPARE(grid.values[static_cast<std::size_t>(0 * 4 + 2)], 50.0);  // column 2, bin 3
        QCOMPARE(grid.rowLabels, QStringList({"8", "4", "2", "1"}));
        view.setTrace(nullptr);
        QVERIFY(view.flat()->isEmpty());
    }
    void theMarkFollowsTheSize()
    {
        ReuseDistanceView view;
        view.resize(500, 400);
        view.setTrace(traceSample());
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
        view.setObjects(4.0); // two of four bins; the scene has single precision
        if (view.hasScene()) {
            QTRY_VERIFY(view.planeAt() && std::abs(*view.planeAt() - 0.5) < 1e-6); // it follows a moment later
        }
        QCOMPARE(view.flat()->badges().front(), (std::pair{1, 0})); // the bin 4 .. 7 is the second from the top
        // distances 1 .. 3: 50 + 50 + 100 + 50 + 60 + 60 + 50 + 100 of 1000 requests
        QVERIFY2(view.word().contains("52"), qPrintable(view.word()));
        view.setObjects(1e9);
        if (view.hasScene())
            QTRY_VERIFY(view.planeAt() && std::abs(*view.planeAt() - 1) < 1e-6); // not out of the box
        view.setObjects(std::nullopt);
        QTRY_VERIFY(!view.planeAt());
        QVERIFY(view.word().isEmpty() && view.flat()->badges().empty());
    }
    // The plane is seen: the picture with it differs, and differs again where it stands elsewhere.
    void thePlaneIsDrawn()
    {
        ReuseDistanceView view;
        if (!view.hasScene())
            QSKIP("no OpenGL here");
        view.resize(600, 450);
        view.setTrace(traceSample());
        view.show();
        QVERIFY(QTest::qWaitForWindowExposed(&view));
        const QImage without = view.snapshot();
        view.setObjects(2.0);
        QTRY_VERIFY(view.planeAt().has_value());
        const QImage near = view.snapshot();
        const double before = *view.planeAt();
        view.setObjects(8.0);
        QTRY_VERIFY(*view.planeAt() != before);
        const QImage far = view.snapshot();
        const auto differing = [](const QImage& a, const QImage& b) {
            int count = 0;
            for (int y = 0; y < a.height(); ++y)
                for (int x = 0; x < a.width(); ++x)
                    count += a.pixel(x, y) != b.pixel(x, y) ? 1 : 0;
            return count;
        };
        QCOMPARE(near.size(), without.size());
        QVERIFY(differing(without, near) > 500);
        QVERIFY(differing(near, far) > 500);
        QTest::mouseClick(view.findChild<QToolButton*>("reuseFlat"), Qt::LeftButton);
        QVERIFY(view.flat()->isVisible());
    }
};

QTEST_MAIN(TstReuseDistances)
#include "tst_reuse_distances.moc"
