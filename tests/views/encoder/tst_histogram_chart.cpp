// SPDX-License-Identifier: GPL-3.0-or-later
// Bars over bins and the cut across them.
#include "views/common/figure_export.h"
#include "views/encoder/histogram_chart.h"

#include <QSignalSpy>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

class TstHistogramChart : public QObject {
    Q_OBJECT
    std::unique_ptr<HistogramChart> m_chart;

private slots:
    void init()
    {
        m_chart = std::make_unique<HistogramChart>();
        m_chart->resize(600, 300);
        m_chart->setAxes({"Place", "Latents", true, true, false});
        const std::vector<double> places{1, 1, 1, 1, 2, 2, 3, 5, 8, 100, 900};
        m_chart->setHistogram(report::placeHistogram(places, 1000));
        m_chart->setCut(16, "cut");
        m_chart->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_chart.get()));
    }
    void cleanup() { m_chart.reset(); }

    void barsAreAsHighAsTheirCounts()
    {
        const QRectF one = m_chart->barRect(0), two = m_chart->barRect(1);
        QVERIFY(std::abs(one.height() - 2 * two.height()) < 1e-6); // four and two
        QVERIFY(std::abs(one.bottom() - two.bottom()) < 1e-9);
        QVERIFY(std::abs(one.right() - two.left()) < 1e-9);
    }
    void theCutStandsAfterThatManyPlaces()
    {
        QVERIFY(m_chart->cutPixel() > m_chart->cutHandle(15).x());
        QVERIFY(std::abs(m_chart->cutPixel() - m_chart->cutHandle(16).x()) < 1e-9);
    }
    void theCutIsDragged()
    {
        QSignalSpy moved(m_chart.get(), &HistogramChart::cutMoved);
        QTest::mousePress(m_chart.get(), Qt::LeftButton, {}, m_chart->cutHandle(16).toPoint());
        QTest::mouseMove(m_chart.get(), m_chart->cutHandle(128).toPoint());
        QVERIFY(moved.size() >= 1);
        QVERIFY(!moved.last().at(1).toBool());
        QTest::mouseRelease(m_chart.get(), Qt::LeftButton, {}, m_chart->cutHandle(128).toPoint());
        QVERIFY(moved.last().at(1).toBool());
        QVERIFY(std::abs(moved.last().at(0).toDouble() - 128) < 3); // a pixel is more than one place there
        const auto count = moved.size();
        QTest::mouseMove(m_chart.get(), m_chart->cutHandle(300).toPoint());
        QCOMPARE(moved.size(), count); // not held any more
    }
    void theCutStaysOnTheAxis()
    {
        m_chart->setFocus();
        m_chart->setCut(1000);
        QTest::keyClick(m_chart.get(), Qt::Key_Right);
        QCOMPARE(m_chart->cut().value_or(0), std::int64_t(1000));
        QTest::keyClick(m_chart.get(), Qt::Key_Left, Qt::ShiftModifier);
        QCOMPARE(m_chart->cut().value_or(0), std::int64_t(900));
        m_chart->setCut(1);
        QTest::keyClick(m_chart.get(), Qt::Key_Left);
        QCOMPARE(m_chart->cut().value_or(0), std::int64_t(1));
    }
    void hoverNamesTheBin()
    {
        QTest::mouseMove(m_chart.get(), m_chart->barRect(0).center().toPoint());
        QCOMPARE(m_chart->hoverLines().value(0), QStringLiteral("Place 1"));
        QVERIFY(m_chart->hoverLines().value(1).startsWith("Latents: 4 "));
        QTest::mouseMove(m_chart.get(), {1, 1});
        QVERIFY(m_chart->hoverLines().isEmpty());
    }
    void tablesHaveEveryBin()
    {
        const QString table = figureTable(*m_chart);
        QVERIFY(table.contains("from,to,count\n0.5,1.5,4\n1.5,2.5,2\n"));
        QCOMPARE(table.count('\n'), static_cast<qsizetype>(m_chart->histogram().counts.size()) + 1);
    }
    void withoutValuesOrACutNothingIsDragged()
    {
        QSignalSpy moved(m_chart.get(), &HistogramChart::cutMoved);
        m_chart->setCut({});
        m_chart->setFocus();
        QTest::keyClick(m_chart.get(), Qt::Key_Right);
        m_chart->setHistogram({});
        m_chart->setCut(3);
        QTest::keyClick(m_chart.get(), Qt::Key_Right);
        QTest::mouseClick(m_chart.get(), Qt::LeftButton, {}, {200, 100});
        QTest::mouseMove(m_chart.get(), {210, 100});
        QVERIFY(moved.isEmpty());
        QVERIFY(!m_chart->grab().isNull());
    }
};

QTEST_MAIN(TstHistogramChart)
#include "tst_histogram_chart.moc"
