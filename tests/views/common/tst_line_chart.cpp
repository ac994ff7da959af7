// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/line_chart.h"

#include "views/common/chart_canvas.h"
#include "views/common/theme.h"

#include <QChart>
#include <QElapsedTimer>
#include <QGraphicsTextItem>
#include <QLegendMarker>
#include <QLineSeries>
#include <QSignalSpy>
#include <QTest>
#include <QToolButton>
#include <QWheelEvent>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

class TstLineChart : public QObject {
    Q_OBJECT
    std::unique_ptr<LineChart> m_chart;

    static std::vector<report::Series> curves(int count, int points, double scale = 1)
    {
        std::vector<report::Series> all(static_cast<std::size_t>(count));
        for (int s = 0; s < count; ++s) {
            all[static_cast<std::size_t>(s)].name = "curve " + std::to_string(s);
            for (int i = 1; i <= points; ++i)
                all[static_cast<std::size_t>(s)].points.push_back({static_cast<double>(i), scale * (s + 1) / i});
        }
        return all;
    }
    QWidget* port() const { return m_chart->canvas()->viewport(); }
    QPoint at(double x, double y) const { return m_chart->canvas()->toPixel(x, y).toPoint(); }
    QPoint middle() const { return m_chart->canvas()->plotArea().center().toPoint(); }
    double xOf(const QPoint& p) const // linear axis 1..100
    {
        const QRectF area = m_chart->canvas()->plotArea();
        return 1 + (p.x() - area.left()) / area.width() * 99;
    }
    void hover(const QPoint& position)
    {
        QTest::mouseMove(port(), QPoint(3, 3)); // a pointer that already stands there would not move
        QTest::mouseMove(port(), position);
    }
    void wheel(const QPointF& position, int delta)
    {
        QWheelEvent event(position, port()->mapToGlobal(position), {}, QPoint(0, delta), Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase, false);
        QApplication::sendEvent(port(), &event);
    }

private slots:
    void init()
    {
        m_chart = std::make_unique<LineChart>();
        m_chart->resize(700, 420);
        m_chart->setAxes({.xTitle = QStringLiteral("Rank"), .yTitle = QStringLiteral("Value")});
        m_chart->setSeries(curves(3, 100));
        m_chart->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_chart.get()));
        QVERIFY(m_chart->canvas()->plotArea().width() > 200);
    }
    void cleanup() { m_chart.reset(); }

    /// A series that is called something else is so in the legend at once, as it is painted, not once the chart has another size.
    void renamedInTheLegend()
    {
        const auto painted = [this] {
            QStringList texts;
            QList<QGraphicsItem*> items = m_chart->canvas()->chart()->legend()->childItems();
            while (!items.isEmpty()) {
                QGraphicsItem* item = items.takeFirst();
                items += item->childItems();
                if (const auto* text = dynamic_cast<QGraphicsTextItem*>(item); text && text->isVisible() && !text->toPlainText().isEmpty())
                    texts << text->toPlainText();
            }
            return texts;
        };
        QTRY_COMPARE(painted(), (QStringList{"curve 0", "curve 1", "curve 2"}));
        auto renamed = curves(3, 100);
        renamed[1].name = "K 3";
        m_chart->setSeries(renamed);
        QTRY_COMPARE(painted(), (QStringList{"curve 0", "K 3", "curve 2"}));
        renamed[1].name = "another, longer name";
        m_chart->setSeries(renamed);
        QTRY_COMPARE(painted(), (QStringList{"curve 0", "another, longer name", "curve 2"}));
        m_chart->resize(260, 420); // too narrow for the names in one row
        QTRY_COMPARE(painted(), (QStringList{"curve 0", "another, longer name", "curve 2"}));
        renamed[1].name = "quite other words than these";
        m_chart->setSeries(renamed);
        QTRY_COMPARE(painted(), (QStringList{"curve 0", "quite other words than these", "curve 2"}));
    }
    void draggingTheCursor()
    {
        m_chart->setCursor(20);
        QSignalSpy moved(m_chart.get(), &LineChart::cursorMoved);
        const QPoint from = at(20, 1) + QPoint(7, 0); // 7 pixels beside the line still takes it
        QTest::mousePress(port(), Qt::LeftButton, {}, from);
        for (const double x : {30.0, 41.0, 55.0})
            QTest::mouseMove(port(), at(x, 1));
        QTest::mouseRelease(port(), Qt::LeftButton, {}, at(60, 1));
        QCOMPARE(moved.size(), 4);
        const double expected[] = {30, 41, 55, 60};
        for (int i = 0; i < 4; ++i) {
            QCOMPARE(moved[i][0].toDouble(), expected[i]);
            QCOMPARE(moved[i][1].toBool(), i == 3);
        }
        QCOMPARE(*m_chart->cursor(), 60.0);
        moved.clear(); // far from the line: a rubber band, not the cursor
        QTest::mousePress(port(), Qt::LeftButton, {}, at(80, 1));
        QTest::mouseMove(port(), at(83, 1));
        QTest::mouseRelease(port(), Qt::LeftButton, {}, at(83, 1));
        QCOMPARE(moved.size(), 0);
    }

    void cursorStaysInsideTheCurves()
    {
        m_chart->setCursor(50);
        QSignalSpy moved(m_chart.get(), &LineChart::cursorMoved);
        QTest::mousePress(port(), Qt::LeftButton, {}, at(50, 1));
        QTest::mouseMove(port(), QPoint(port()->width() + 300, 100));
        QTest::mouseRelease(port(), Qt::LeftButton, {}, QPoint(-300, 100));
        QCOMPARE(moved.first()[0].toDouble(), 100.0);
        QCOMPARE(moved.last()[0].toDouble(), 1.0);
    }

    void keysMoveTheCursor()
    {
        m_chart->setCursor(50);
        QSignalSpy moved(m_chart.get(), &LineChart::cursorMoved);
        QTest::keyClick(m_chart->canvas(), Qt::Key_Right);
        QTest::keyClick(m_chart->canvas(), Qt::Key_Right, Qt::ShiftModifier);
        QTest::keyClick(m_chart->canvas(), Qt::Key_Left);
        QCOMPARE(moved.size(), 3);
        QCOMPARE(moved[0][0].toDouble(), 51.0);
        QCOMPARE(moved[1][0].toDouble(), 61.0);
        QCOMPARE(moved[2][0].toDouble(), 60.0);
        QVERIFY(moved[2][1].toBool());
    }

    void hoverShowsTheValues()
    {
        QTRY_VERIFY((hover(at(25, 1.5)), m_chart->canvas()->hoverLines().size() == 4)); // the display's own pointer may leave the new window between
        const QStringList lines = m_chart->canvas()->hoverLines();
        QCOMPARE(lines[0], QStringLiteral("Rank 25"));
        QCOMPARE(lines[1], QStringLiteral("curve 0  0.04")); // 1 / 25
        QCOMPARE(lines[3], QStringLiteral("curve 2  0.12"));
        QEvent leave(QEvent::Leave);
        QApplication::sendEvent(port(), &leave);
        QApplication::sendEvent(m_chart->canvas(), &leave);
        QVERIFY(m_chart->canvas()->hoverLines().isEmpty());
    }

    void zoomAndReset()
    {
        auto* button = m_chart->findChild<QToolButton*>(QStringLiteral("resetZoom"));
        QVERIFY(button && !button->isVisible());
        const QPoint anchor = middle();
        const double before = xOf(anchor);
        wheel(anchor, 120);
        QVERIFY(m_chart->isZoomed() && button->isVisible());
        QVERIFY(std::abs(at(before, 1).x() - anchor.x()) <= 1); // what lay under the pointer stays there
        QVERIFY(m_chart->toPixel(1, 1).x() < m_chart->plotArea().left() - 10);
        QTest::keyClick(m_chart->canvas(), Qt::Key_0);
        QVERIFY(!m_chart->isZoomed());
        QVERIFY(std::abs(m_chart->toPixel(1, 1).x() - m_chart->plotArea().left()) < 1);

        const QPoint a = at(20, 2), b = at(60, 0.5); // rubber band
        QTest::mousePress(port(), Qt::LeftButton, {}, a);
        QTest::mouseMove(port(), (a + b) / 2);
        QTest::mouseRelease(port(), Qt::LeftButton, {}, b);
        QVERIFY(m_chart->isZoomed());
        const QRectF area = m_chart->canvas()->plotArea();
        QVERIFY(std::abs(at(20, 1).x() - area.left()) <= 2);
        QVERIFY(std::abs(at(60, 1).x() - area.right()) <= 2);
        const QPoint was = at(40, 1); // pan: the point follows the hand
        QTest::mousePress(port(), Qt::MiddleButton, {}, middle());
        QTest::mouseMove(port(), middle() + QPoint(30, 10));
        QTest::mouseRelease(port(), Qt::MiddleButton, {}, middle() + QPoint(30, 10));
        QVERIFY((at(40, 1) - was - QPoint(30, 10)).manhattanLength() <= 2);
        m_chart->setSeries(curves(3, 100, 2)); // new values keep the zoom
        QVERIFY(m_chart->isZoomed());
        QTest::mouseDClick(port(), Qt::LeftButton, {}, middle());
        QVERIFY(!m_chart->isZoomed());
    }

    void logarithmicAxes()
    {
        auto series = curves(1, 100);
        series[0].points.push_back({101, 0});
        series[0].points.push_back({102, -1});
        m_chart->setSeries(series);
        auto* line = qobject_cast<QLineSeries*>(m_chart->canvas()->chart()->series().first());
        QCOMPARE(line->count(), 102);
        m_chart->setAxes({.xTitle = QStringLiteral("Rank"), .logX = true, .logY = true});
        QCOMPARE(line->count(), 100); // what is not positive is left out
        // 1 / i is a straight line in logarithms: the geometric mean lies in the middle.
        const QPointF a = m_chart->toPixel(1, 1), b = m_chart->toPixel(100, 0.01), mid = m_chart->toPixel(10, 0.1);
        QVERIFY(std::abs(mid.x() - (a.x() + b.x()) / 2) < 0.5 && std::abs(mid.y() - (a.y() + b.y()) / 2) < 0.5);
        m_chart->setCursor(10);
        QSignalSpy moved(m_chart.get(), &LineChart::cursorMoved);
        QTest::mousePress(port(), Qt::LeftButton, {}, at(10, 0.1));
        QTest::mouseRelease(port(), Qt::LeftButton, {}, at(50, 0.1));
        QCOMPARE(moved.last()[0].toDouble(), 50.0);
    }

    /// Heights of counts are compared: the axis holds zero however far away the curves are.
    void zeroBasedAxes()
    {
        std::vector<report::Series> counts(2);
        counts[0].name = "tokens";
        counts[0].points = {{0, 257}, {1, 240}, {2, 230}};
        counts[1].name = "MMAC";
        counts[1].points = {{0, 70}, {1, 65}, {2, 62}};
        counts[1].secondary = true;
        m_chart->setSeries(counts);
        const QRectF area = m_chart->canvas()->plotArea();
        QVERIFY(m_chart->canvas()->toPixel(0, 0).y() > area.bottom() + 50); // far below
        m_chart->setAxes({.xTitle = QStringLiteral("block"), .yTitle = QStringLiteral("tokens"), .rightTitle = QStringLiteral("MMAC"), .zeroBased = true});
        const double bottom = m_chart->canvas()->plotArea().bottom(), top = m_chart->canvas()->plotArea().top();
        QVERIFY(std::abs(m_chart->canvas()->toPixel(0, 0).y() - bottom) < 1);
        QVERIFY(m_chart->canvas()->toPixel(0, 257).y() > top);
        counts[0].points = {{0, 0}, {1, 0}};
        m_chart->setSeries({counts[0]}); // nothing but zeros has a range, too
        QVERIFY(std::abs(m_chart->canvas()->toPixel(0, 0).y() - m_chart->canvas()->plotArea().bottom()) < 1);
    }

    void seriesObjectsAreReused()
    {
        m_chart->setSeries(curves(4, 1000));
        const auto objects = m_chart->canvas()->chart()->series();
        QCOMPARE(objects.size(), 4);
        QList<int> replaced(4);
        for (int i = 0; i < 4; ++i) {
            auto* line = qobject_cast<QLineSeries*>(objects[i]);
            connect(line, &QXYSeries::pointsReplaced, this, [&replaced, i] { ++replaced[i]; });
            connect(line, &QXYSeries::pointAdded, this, [] { QFAIL("points are replaced at once, not appended"); });
        }
        QElapsedTimer timer;
        timer.start();
        for (int i = 0; i < 100; ++i)
            m_chart->setSeries(curves(4, 1000, 1 + i));
        qInfo("100 updates of a chart of 4,000 points: %lld ms", timer.elapsed());
        QCOMPARE(m_chart->canvas()->chart()->series(), objects);
        for (const int count : replaced)
            QCOMPARE(count, 100); // one replace a series and update
        QCOMPARE(qobject_cast<QLineSeries*>(objects[3])->at(0).y(), 400.0);
    }

    void legendHidesACurve()
    {
        auto* canvas = m_chart->canvas();
        auto* line = canvas->chart()->series().first();
        canvas->chart()->legend()->markers(line).first()->clicked();
        QVERIFY(!line->isVisible());
        QVERIFY(canvas->chart()->legend()->markers(line).first()->isVisible()); // the way back
        hover(at(25, 1.5));
        QCOMPARE(canvas->hoverLines().size(), 3);
        m_chart->setSeries(curves(3, 100, 2));
        QVERIFY(!line->isVisible()); // new values keep the choice
    }

    void staleBadgeWaits()
    {
        QTest::mouseMove(port(), QPoint(2, 2));
        const QImage before = m_chart->canvas()->grab().toImage();
        m_chart->setStale(true);
        QVERIFY(m_chart->isStale());
        QCOMPARE(m_chart->canvas()->grab().toImage(), before); // not at once: most updates take less than 150 ms
        QTRY_VERIFY(m_chart->canvas()->grab().toImage() != before);
        m_chart->setStale(false);
        QCOMPARE(m_chart->canvas()->grab().toImage(), before);
    }

    void emptyChartSaysWhatToDo()
    {
        m_chart->setSeries({});
        const QImage blank = m_chart->canvas()->grab().toImage();
        m_chart->setEmptyText(QStringLiteral("Open a checkpoint to see its spectra"));
        QVERIFY(m_chart->canvas()->grab().toImage() != blank);
        QTest::mouseMove(port(), middle());
        QVERIFY(m_chart->canvas()->hoverLines().isEmpty());
        m_chart->setSeries({report::Series{.name = "no points"}, report::Series{.name = "one", .points = {{3, 4}}}});
        QTest::mouseMove(port(), middle() + QPoint(1, 1)); // degenerate ranges must not divide by zero
        QVERIFY(std::isfinite(m_chart->toPixel(3, 4).x()) && std::isfinite(m_chart->toPixel(3, 4).y()));
    }

    void followsTheTheme()
    {
        Theme::instance().apply(*qApp, Theme::Mode::Dark);
        QVERIFY(m_chart->canvas()->grab().toImage().pixelColor(1, 1).lightness() < 80);
        Theme::instance().apply(*qApp, Theme::Mode::Light);
        QVERIFY(m_chart->canvas()->grab().toImage().pixelColor(1, 1).lightness() > 200);
    }
};

QTEST_MAIN(TstLineChart)
#include "tst_line_chart.moc"
