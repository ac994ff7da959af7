// SPDX-License-Identifier: GPL-3.0-or-later
// Curves: one pass against a cache at every size, samples against the whole, and what a report says.
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/cache/object_sample.h"
#include "core/cache/simulate.h"
#include "core/cache/stack_distance.h"
#include "tests/core/cache/mixed_trace.h"

#include <QTest>

#include <cmath>
#include <random>

using namespace tamis;
using namespace tamis::cache;

namespace {
/// Popularity 1 / rank.
Trace zipf(std::size_t objects, std::size_t requests, unsigned seed)
{
    std::vector<double> weights(objects);
    for (std::size_t i = 0; i < objects; ++i)
        weights[i] = 1.0 / static_cast<double>(i + 1);
    std::discrete_distribution<std::uint64_t> draw(weights.begin(), weights.end());
    std::mt19937_64 random(seed);
    Trace trace;
    ObjectNumbers numbers;
    for (std::size_t i = 0; i < requests; ++i)
        trace.objects.push_back(numbers.of(draw(random)));
    trace.ids = numbers.takeIds();
    return trace;
}
} // namespace

class TstMissRatio : public QObject {
    Q_OBJECT
private slots:
    /// Mattson's pass equals a list that is searched, and a simulated cache at every size; places run out many times.
    void onePass()
    {
        const Trace trace = mixedTrace(11, 30000, false);
        const StackDistances distances = stackDistances(trace.objects, trace.ids.size(), 0, {});
        std::vector<std::uint32_t> list;
        std::vector<std::uint64_t> counts(trace.ids.size(), 0);
        for (const std::uint32_t object : trace.objects) {
            const auto at = std::ranges::find(list, object);
            if (at != list.end()) {
                ++counts[static_cast<std::size_t>(at - list.begin())];
                list.erase(at);
            }
            list.insert(list.begin(), object);
        }
        QVERIFY(distances.counts == counts);
        QCOMPARE(distances.first, static_cast<std::uint64_t>(trace.ids.size()));
        for (const std::uint64_t size : {1U, 10U, 137U, 1000U, 100000U}) {
            const PolicyPtr lru = findMethod("cache.lru")->policy({size, 0}, {});
            QCOMPARE(distances.hits(size), simulate(trace, {}, *lru, 0, {}).hits);
        }
        const StackDistances late = stackDistances(trace.objects, trace.ids.size(), 20000, {});
        const PolicyPtr lru = findMethod("cache.lru")->policy({137, 0}, {});
        QCOMPARE(late.hits(137), simulate(trace, {}, *lru, 20000, {}).hits);
        QCOMPARE(late.requests, std::uint64_t{10000});
    }
    void curvesSayWhatWasSimulated()
    {
        const Trace trace = mixedTrace(12, 20000, false);
        CurveSettings settings{.sizes = {10, 100, 1000}, .warmUp = 5000};
        std::vector<std::string> ready;
        const report::CacheReport report = missRatioCurves(trace, {{"cache.lru", {}}, {"cache.s3-fifo", {}}, {"cache.belady", {}}}, settings, {},
                                                           [&](const report::PolicyCurve& curve) { ready.push_back(curve.policy); });
        QCOMPARE(report.curves.size(), std::size_t{3});
        QCOMPARE(ready.size(), std::size_t{3});
        for (const report::PolicyCurve& curve : report.curves) {
            QVERIFY(curve.failure.empty() && curve.exact);
            QCOMPARE(curve.limit, curve.policy == "cache.belady");
            for (std::size_t i = 0; i < 3; ++i) {
                const PolicyPtr policy = findMethod(curve.policy)->policy({settings.sizes[i], 0}, {});
                const Counts counts = simulate(trace, nextRequests(trace), *policy, 5000, {});
                QCOMPARE(curve.points[i].hits, counts.hits);
                QCOMPARE(curve.points[i].requests, std::uint64_t{15000});
                QCOMPARE(curve.points[i].hitRatio, static_cast<double>(counts.hits) / 15000);
                QVERIFY(curve.points[i].hitRatio <= 1 - report.compulsory + 1e-12);
            }
        }
    }
    void threadsDoNotMatter()
    {
        const Trace trace = mixedTrace(13, 20000, true);
        const CurveSettings settings{.sizes = usualSizes(trace, 8), .rate = 0.3};
        const std::vector<Configuration> all{{"cache.arc", {}}, {"cache.random", {}}, {"cache.w-tinylfu", {}}};
        const report::CacheReport many = missRatioCurves(trace, all, settings, {});
        const ThreadLimit one(1);
        const report::CacheReport single = missRatioCurves(trace, all, settings, {});
        for (std::size_t c = 0; c < all.size(); ++c)
            for (std::size_t i = 0; i < settings.sizes.size(); ++i)
                QCOMPARE(many.curves[c].points[i].hitRatio, single.curves[c].points[i].hitRatio);
    }
    /// A sample of objects is all requests of each, and no others.
    void samplesAreOfObjects()
    {
        const Trace trace = zipf(20000, 200000, 1);
        const ObjectSample sample = sampleObjects(trace, 0.1, 3, 50000, {});
        std::vector<std::uint64_t> whole(trace.ids.size(), 0);
        for (const std::uint32_t object : trace.objects)
            ++whole[object];
        std::map<std::uint64_t, std::uint64_t> byId;
        for (std::size_t object = 0; object < trace.ids.size(); ++object)
            byId[trace.ids[object]] = whole[object];
        std::map<std::uint64_t, std::uint64_t> sampled;
        for (const std::uint32_t object : sample.trace.objects)
            ++sampled[sample.trace.ids[object]];
        for (const auto& [id, count] : sampled)
            QCOMPARE(count, byId[id]);
        QVERIFY(std::abs(static_cast<double>(sampled.size()) / static_cast<double>(trace.ids.size()) - 0.1) < 0.01); // 18,000 objects: four deviations
        QVERIFY(sample.warmUp > 0 && sample.warmUp < sample.trace.requests());
    }
    /// At a tenth of the objects the curves are within their band (three deviations of the mean, and the grain of small caches) of the whole's.
    void samplesAgreeWithTheWhole()
    {
        const Trace trace = zipf(20000, 400000, 2);
        CurveSettings settings{.sizes = {200, 1000, 4000, 12000}};
        const std::vector<Configuration> all{{"cache.lru", {}}, {"cache.fifo", {}}, {"cache.sieve", {}}, {"cache.arc", {}}};
        const report::CacheReport exact = missRatioCurves(trace, all, settings, {});
        settings.rate = 0.1;
        settings.samples = 8;
        const report::CacheReport sampled = missRatioCurves(trace, all, settings, {});
        for (std::size_t c = 0; c < all.size(); ++c)
            for (std::size_t i = 0; i < settings.sizes.size(); ++i) {
                const report::PolicyPoint &whole = exact.curves[c].points[i], &part = sampled.curves[c].points[i];
                QVERIFY(std::isnan(whole.deviation) && !sampled.curves[c].exact && part.deviation > 0);
                QVERIFY(part.requests == whole.requests && part.bytes == whole.bytes); // of all that the samples stand for
                QVERIFY(std::abs(static_cast<double>(part.hitBytes) - part.byteHitRatio * static_cast<double>(part.bytes)) <= 1);
                const double band = 3 * part.deviation / std::sqrt(8.0) + 0.01;
                QVERIFY2(std::abs(whole.hitRatio - part.hitRatio) <= band, qPrintable(QString("%1: %2 and %3, band %4").arg(all[c].method.c_str()).arg(whole.hitRatio).arg(part.hitRatio).arg(band)));
            }
    }
    void refusals()
    {
        const Trace trace = mixedTrace(1, 100, false);
        const auto refused = [&](const std::vector<Configuration>& configurations, const CurveSettings& settings) {
            try {
                missRatioCurves(trace, configurations, settings, {});
            } catch (const Error& error) {
                return error.code() == ErrorCode::InvalidParameter;
            }
            return false;
        };
        QVERIFY(refused({{"cache.lru", {}}}, {}));
        QVERIFY(refused({{"cache.lru", {}}}, {.sizes = {0, 5}}));
        QVERIFY(refused({{"cache.lru", {}}}, {.sizes = {9, 5}}));
        QVERIFY(refused({{"cache.lru", {}}}, {.sizes = {5}, .rate = 0}));
        QVERIFY(refused({{"cache.lru", {}}}, {.sizes = {5}, .rate = 0.5, .samples = 1}));
        QVERIFY(refused({{"cache.none", {}}}, {.sizes = {5}}));
        Parameters wrong;
        wrong.set("segments", std::int64_t{99});
        const report::CacheReport report = missRatioCurves(trace, {{"cache.slru", wrong}, {"cache.fifo", {}}}, {.sizes = {5}}, {});
        QVERIFY(!report.curves[0].failure.empty() && report.curves[0].points.empty());
        QVERIFY(report.curves[1].failure.empty());
    }
};

QTEST_GUILESS_MAIN(TstMissRatio)
#include "tst_miss_ratio.moc"
