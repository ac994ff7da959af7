// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/report/histogram.h"

#include <QTest>

#include <cmath>
#include <numeric>

using namespace tamis::report;

namespace {
std::int64_t total(const Histogram& histogram) { return std::accumulate(histogram.counts.begin(), histogram.counts.end(), std::int64_t{0}); }
} // namespace

class TestHistogram : public QObject {
    Q_OBJECT
private slots:
    void everyValueIsInItsBin()
    {
        const std::vector<double> values{0, 0.5, 1, 1.5, 2, 3.999, 4};
        const auto histogram = histogramOf(values, 4);
        QCOMPARE(histogram.edges, (std::vector<double>{0, 1, 2, 3, 4}));
        QCOMPARE(histogram.counts, (std::vector<std::int64_t>{2, 2, 1, 2})); // an edge belongs to the bin above it, the last one to the last
    }
    void whatIsNoNumberIsLeftOut()
    {
        const std::vector<double> values{1, NAN, 2, INFINITY};
        QCOMPARE(total(histogramOf(values, 2)), std::int64_t(2));
        QVERIFY(histogramOf(std::vector<double>{NAN}, 2).empty());
        QVERIFY(histogramOf(std::vector<double>{}, 2).empty());
    }
    void aSingleValueHasOneBinAroundIt()
    {
        const std::vector<double> values{3, 3};
        const auto histogram = histogramOf(values, 10);
        QCOMPARE(histogram.counts, (std::vector<std::int64_t>{2}));
        QVERIFY(histogram.edges.front() < 3 && histogram.edges.back() > 3);
    }
    void aGivenRangeLeavesTheRestOut()
    {
        const std::vector<double> values{-1, 0, 0.5, 1, 2};
        const auto histogram = histogramOf(values, 0, 1, 2);
        QCOMPARE(histogram.counts, (std::vector<std::int64_t>{1, 2}));
    }
    void placesFallBetweenTheirEdges()
    {
        std::vector<double> places(1000);
        std::iota(places.begin(), places.end(), 1.0);
        const auto histogram = placeHistogram(places, 1000);
        QCOMPARE(total(histogram), std::int64_t(1000));
        QCOMPARE(histogram.edges.front(), 0.5);
        QCOMPARE(histogram.edges.back(), 1000.5);
        for (std::size_t i = 0; i < histogram.counts.size(); ++i) // one of each place: a bin holds as many as it is wide
            QCOMPARE(static_cast<double>(histogram.counts[i]), histogram.edges[i + 1] - histogram.edges[i]);
        QCOMPARE(histogram.counts.front(), std::int64_t(1)); // the best place stands alone
        QCOMPARE(placeHistogram(std::vector<double>{1, 1}, 1).counts, (std::vector<std::int64_t>{2}));
    }
};

QTEST_APPLESS_MAIN(TestHistogram)
#include "tst_histogram.moc"
