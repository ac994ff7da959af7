// SPDX-License-Identifier: GPL-3.0-or-later
// Points on two axes: who is on a frontier, where values stand, what is labelled, how the keys walk.
#include "views/common/frontier_chart.h"

#include <QSignalSpy>
#include <QTest>

#include <cmath>

using namespace tamis::views;

namespace {
/// Points at given values, told by their index.
class Sample : public FrontierChart {
public:
    explicit Sample(const FrontierHabits& habits) : FrontierChart(habits, QStringLiteral("nothing"), nullptr)
    {
        const auto format = [](double value) { return QString::number(value); };
        setSeries({{.title = "one", .color = 0, .line = Qt::SolidLine}, {.title = "two", .mark = FrontierSeries::Mark::Cross, .filled = false}});
        setAxes({.title = "x", .low = 0, .high = 4, .format = format}, {.title = "y", .low = 0, .high = 3, .logarithmic = true, .format = format});
        setPoints({{2, 3, 1, 0, true}, {0, 1, 1000, 0, true}, {1, 2, 10, 1, false}, {3, NAN, 1, 0, false}}, 4);
        resize(500, 300);
    }
    using FrontierChart::setPoints;
    QString figureCsv() const override { return {}; }
    QString figureCaption() const override { return {}; }

protected:
    QStringList linesOf(int index) const override { return {QString::number(index)}; }
};
} // namespace

class TstFrontierChart : public QObject {
    Q_OBJECT
private slots:
    void frontiersAreOfATitle()
    {
        // Equal points are both on it; a point that is as good in one and worse in the other is not; another title does not count.
        QCOMPARE(frontiersOf({{"a", 1, 2}, {"a", 2, 1}, {"a", 1, 1}, {"a", 2, 1}, {"b", 0, 0}, {"b", NAN, 9}}), (std::vector<bool>{true, true, false, true, true, false}));
        QVERIFY(frontiersOf({}).empty());
    }
    void axesPlaceValues()
    {
        const FrontierAxis linear{.low = 2, .high = 6};
        QCOMPARE(linear.share(3), 0.25);
        const FrontierAxis backwards{.low = 2, .high = 6, .backwards = true};
        QCOMPARE(backwards.share(3), 0.75);
        const FrontierAxis decades{.low = -1, .high = 3, .logarithmic = true};
        QCOMPARE(decades.share(10), 0.5);
        QCOMPARE(decades.share(0), 0.0); // has no logarithm: at the foot
        QCOMPARE(decades.ticks(5), (std::vector<double>{0.1, 1, 10, 100, 1000}));
        // Bytes: 0.5 to 4 MiB in half a MiB or more, and powers of two from 1 KiB to 1 MiB at every second one
        FrontierAxis bytes{.low = 524288, .high = 4194304, .bytes = true};
        QCOMPARE(bytes.ticks(4), (std::vector<double>{1048576, 2097152, 3145728, 4194304}));
        bytes = {.low = std::log10(1024.0), .high = std::log10(1048576.0), .logarithmic = true, .bytes = true};
        QCOMPARE(bytes.ticks(6), (std::vector<double>{1024 * 1.0, 4096, 16384, 65536, 262144, 1048576}));
        const FrontierAxis shares{.low = 0, .high = 1.2, .lastTick = 1};
        QVERIFY(!shares.ticks(6).empty());
        QVERIFY(shares.ticks(6).back() <= 1);
    }
    void pointsStandWhereTheirValuesAre()
    {
        Sample chart({});
        QCOMPARE(chart.shownPoints(), 3);
        QCOMPARE(chart.toPixel(3), QPointF(-1, -1)); // was not measured
        const QPointF a = chart.toPixel(0), b = chart.toPixel(1), c = chart.toPixel(2);
        QVERIFY(std::abs((b.x() - a.x()) - (c.x() - b.x())) < 1e-9); // 1, 2, 3
        QVERIFY(std::abs((b.y() - a.y()) - 2 * (c.y() - b.y())) < 1e-9); // 1000, 10, 1: two decades and one
    }
    void keysWalkToTheEndOrRound_data()
    {
        QTest::addColumn<bool>("wraps");
        QTest::addColumn<int>("beyond");
        QTest::newRow("ends") << false << 2;
        QTest::newRow("round") << true << 0;
    }
    void keysWalkToTheEndOrRound()
    {
        QFETCH(bool, wraps);
        QFETCH(int, beyond);
        Sample chart({.walkWraps = wraps});
        chart.show();
        QVERIFY(QTest::qWaitForWindowExposed(&chart));
        chart.setFocus();
        QSignalSpy activated(&chart, &FrontierChart::pointActivated);
        QTest::keyClick(&chart, Qt::Key_Return); // nothing was walked to
        QVERIFY(activated.isEmpty());
        for (const int expected : {0, 1, 2, beyond}) { // by x
            QTest::keyClick(&chart, Qt::Key_Right);
            QCOMPARE(chart.accessibleDescription(), QString::number(expected));
            QTest::keyClick(&chart, Qt::Key_Return);
            QCOMPARE(activated.last().first().toInt(), expected);
        }
        chart.setPoints({}, 0); // what was walked to is gone
        QTest::keyClick(&chart, Qt::Key_Return);
        QCOMPARE(activated.size(), 4);
    }
    void thePointerIsAHandWhereThatIsAsked()
    {
        Sample chart({.handOverPoints = true});
        chart.show();
        QVERIFY(QTest::qWaitForWindowExposed(&chart));
        QTest::mouseMove(&chart, chart.toPixel(1).toPoint());
        QCOMPARE(chart.cursor().shape(), Qt::PointingHandCursor);
        QCOMPARE(chart.hoverLines(), QStringList{QStringLiteral("1")});
        QTest::mouseMove(&chart, {2, 2});
        QCOMPARE(chart.cursor().shape(), Qt::ArrowCursor);
        QVERIFY(chart.hoverLines().isEmpty());
    }
};

QTEST_MAIN(TstFrontierChart)
#include "tst_frontier_chart.moc"
