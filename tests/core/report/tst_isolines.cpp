// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/report/isolines.h"

#include "core/base/error.h"

#include <QTest>

#include <cmath>
#include <vector>

using namespace tamis::report;

namespace {
std::vector<double> sampled(std::size_t rows, std::size_t columns, auto&& height)
{
    std::vector<double> values;
    for (std::size_t row = 0; row < rows; ++row)
        for (std::size_t column = 0; column < columns; ++column)
            values.push_back(height(static_cast<double>(column), static_cast<double>(row)));
    return values;
}
} // namespace

class TestIsolines : public QObject {
    Q_OBJECT
private slots:
    /// A plane is linear along every edge: the points lie on its line to rounding.
    void aPlaneHasOneStraightLine()
    {
        const auto values = sampled(6, 9, [](double x, double y) { return 2 * x + 3 * y; });
        const auto lines = isolines(values, 6, 9, 10.4);
        QCOMPARE(lines.size(), std::size_t(1));
        QVERIFY(lines[0].size() > 4);
        for (const Point& point : lines[0])
            QVERIFY(std::abs(2 * point.x + 3 * point.y - 10.4) < 1e-12);
        const auto onBorder = [](const Point& p) { return p.x == 0 || p.y == 0 || p.x == 8 || p.y == 5; };
        QVERIFY(onBorder(lines[0].front()) && onBorder(lines[0].back()));
        QVERIFY(isolines(values, 6, 9, -1).empty());
        QVERIFY(isolines(values, 6, 9, 100).empty());
    }
    /// x^2 + y^2 is interpolated along edges of length 1, which errs by at most 1/8 of its second derivative 2: a quarter of a unit at most.
    void aHillHasAClosedOne()
    {
        const auto values = sampled(21, 21, [](double x, double y) { return (x - 10) * (x - 10) + (y - 10) * (y - 10); });
        const auto lines = isolines(values, 21, 21, 36.5);
        QCOMPARE(lines.size(), std::size_t(1));
        QCOMPARE(lines[0].front(), lines[0].back());
        double around = 0;
        for (std::size_t i = 0; i + 1 < lines[0].size(); ++i) {
            const Point a = lines[0][i], b = lines[0][i + 1];
            const double square = (a.x - 10) * (a.x - 10) + (a.y - 10) * (a.y - 10);
            QVERIFY(std::abs(square - 36.5) <= 0.25);
            QVERIFY(std::hypot(a.x - b.x, a.y - b.y) <= std::sqrt(2.0) + 1e-12); // neighbours share a cell
            around += std::hypot(a.x - b.x, a.y - b.y);
        }
        QVERIFY(std::abs(around - 2 * M_PI * std::sqrt(36.5)) < 0.5);
    }
    void theMeanDecidesAtSaddles()
    {
        // 4 and 3 across from each other, 0 and 0 beside: mean 1.75.
        const std::vector<double> values{4, 0, 0, 3};
        const auto apart = isolines(values, 2, 2, 2), joined = isolines(values, 2, 2, 1);
        QCOMPARE(apart.size(), std::size_t(2));
        QCOMPARE(joined.size(), std::size_t(2));
        const auto middle = [](const std::vector<Point>& line) { return std::abs(line[0].x + line[1].x - 1) + std::abs(line[0].y + line[1].y - 1); };
        // Apart: each line cuts a high corner off; joined: each a low one, so that its ends lie on edges that meet there.
        for (const auto& line : apart)
            QVERIFY((line[0].x < 1 && line[0].y < 1 && line[1].x < 1 && line[1].y < 1) || (line[0].x > 0 && line[0].y > 0 && line[1].x > 0 && line[1].y > 0));
        for (const auto& line : joined) {
            const bool topRight = std::max(line[0].x, line[1].x) == 1 && std::min(line[0].y, line[1].y) == 0;
            const bool bottomLeft = std::min(line[0].x, line[1].x) == 0 && std::max(line[0].y, line[1].y) == 1;
            QVERIFY(topRight || bottomLeft);
            QVERIFY(middle(line) > 0.1);
        }
    }
    void whatIsNoNumberEndsALine()
    {
        auto values = sampled(3, 9, [](double, double y) { return y; });
        values[1 * 9 + 4] = NAN;
        const auto lines = isolines(values, 3, 9, 0.5);
        QCOMPARE(lines.size(), std::size_t(2));
        for (const auto& line : lines)
            for (const Point& point : line)
                QVERIFY(point.y == 0.5 && (point.x <= 3 || point.x >= 5));
        QVERIFY(isolines({}, 0, 0, 1).empty());
        QVERIFY(isolines(std::vector<double>{1, 2}, 1, 2, 1.5).empty()); // no cell
        QVERIFY_EXCEPTION_THROWN(isolines(values, 3, 8, 0.5), tamis::Error);
    }
};

QTEST_APPLESS_MAIN(TestIsolines)
#include "tst_isolines.moc"
