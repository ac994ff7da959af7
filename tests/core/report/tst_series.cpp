// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/report/series.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

using namespace tamis::report;

namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

std::vector<Point> finitePoints(const std::vector<double>& y, double firstX)
{
    std::vector<Point> points;
    for (std::size_t i = 0; i < y.size(); ++i)
        if (std::isfinite(y[i]))
            points.push_back({firstX + static_cast<double>(i), y[i]});
    return points;
}

std::vector<double> noise(std::size_t count, unsigned seed)
{
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    std::vector<double> y(count);
    for (double& value : y)
        value = normal(random);
    return y;
}

} // namespace

class TstSeries : public QObject
{
    Q_OBJECT

private slots:
    /// Over many sizes and limits: at most `limit` points, each of them a point of the curve, x rising, first, last and both
    /// extremes kept.
    void decimationKeepsItsPromises()
    {
        for (const std::size_t count : {0u, 1u, 2u, 3u, 4u, 5u, 9u, 10u, 11u, 100u, 999u, 4001u, 20000u})
            for (const std::size_t limit : {4u, 5u, 6u, 7u, 10u, 101u, 4000u}) {
                const std::vector<double> y = noise(count, static_cast<unsigned>(count + limit));
                const std::vector<Point> all = finitePoints(y, -3), kept = decimate(y, -3, limit);
                QVERIFY(kept.size() <= limit);
                QVERIFY(std::is_sorted(kept.begin(), kept.end(), [](const Point& a, const Point& b) { return a.x < b.x; }));
                QVERIFY(std::adjacent_find(kept.begin(), kept.end(), [](const Point& a, const Point& b) { return a.x == b.x; }) == kept.end());
                for (const Point& point : kept)
                    QVERIFY(y[static_cast<std::size_t>(point.x + 3)] == point.y);
                QCOMPARE(kept.empty(), all.empty());
                if (all.empty())
                    continue;
                QVERIFY(kept.front() == all.front() && kept.back() == all.back());
                const auto lower = [](const Point& a, const Point& b) { return a.y < b.y; };
                QCOMPARE(std::min_element(kept.begin(), kept.end(), lower)->y, std::min_element(all.begin(), all.end(), lower)->y);
                QCOMPARE(std::max_element(kept.begin(), kept.end(), lower)->y, std::max_element(all.begin(), all.end(), lower)->y);
                if (all.size() <= limit)
                    QVERIFY(kept == all);
            }
    }
    /// Brute force: the inner points are cut into (limit - 2) / 2 buckets of equal length; a point is kept exactly when it is
    /// the first minimum or the last maximum of its bucket (std::minmax_element), or first or last of all.
    void agreesWithBruteForce()
    {
        for (const std::size_t count : {50u, 333u, 1000u})
            for (const std::size_t limit : {4u, 9u, 20u, 48u}) {
                std::vector<double> y = noise(count, static_cast<unsigned>(7 * count + limit));
                for (double& value : y)
                    value = std::round(value * 4); // many ties
                const std::vector<Point> all = finitePoints(y, 1);
                const std::size_t buckets = (limit - 2) / 2, inner = all.size() - 2;
                std::vector<Point> expected{all.front()};
                for (std::size_t b = 0; b < buckets; ++b) {
                    const std::size_t first = 1 + b * inner / buckets, last = 1 + (b + 1) * inner / buckets;
                    std::size_t low = first, high = first;
                    for (std::size_t i = first; i < last; ++i) {
                        if (all[i].y < all[low].y)
                            low = i;
                        if (all[i].y >= all[high].y)
                            high = i;
                    }
                    for (std::size_t i = first; i < last; ++i)
                        if (i == low || i == high)
                            expected.push_back(all[i]);
                }
                expected.push_back(all.back());
                QVERIFY(decimate(y, 1, limit) == expected);
            }
    }
    void aSinglePeakSurvivesWhereverItIs()
    {
        for (std::size_t at = 0; at < 5000; at += 13) {
            std::vector<double> y(5000, 1.0);
            y[at] = 9;
            const auto kept = decimate(y, 0, 40);
            QVERIFY(std::find(kept.begin(), kept.end(), Point{static_cast<double>(at), 9.0}) != kept.end());
        }
    }
    void nonFiniteValuesAreDropped()
    {
        QCOMPARE(decimate(std::vector<double>{kNan, 2, kInfinity, 4, -kInfinity, 6}, 10, 100), (std::vector<Point>{{11, 2}, {13, 4}, {15, 6}}));
        std::vector<double> y = noise(1000, 5);
        y[0] = kNan;
        y[500] = kInfinity;
        y[999] = -kInfinity;
        const auto kept = decimate(y, 0, 30);
        QVERIFY(kept.size() <= 30);
        QCOMPARE(kept.front().x, 1.0);
        QCOMPARE(kept.back().x, 998.0);
        QVERIFY(std::all_of(kept.begin(), kept.end(), [](const Point& p) { return std::isfinite(p.y); }));
        QVERIFY(decimate(std::vector<double>(5, kNan), 0, 4).empty());
    }
    void aLimitBelowFourIsFour()
    {
        for (const std::size_t limit : {0u, 1u, 3u})
            QCOMPARE(decimate(noise(100, 1), 0, limit), decimate(noise(100, 1), 0, 4));
    }
};

QTEST_GUILESS_MAIN(TstSeries)
#include "tst_series.moc"
