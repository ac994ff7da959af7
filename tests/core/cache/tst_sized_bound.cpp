// SPDX-License-Identifier: GPL-3.0-or-later
// The limit for sizes: never below the best that exhaustive search finds, never below any policy, and not far above what can be had.
#include "core/base/error.h"
#include "core/cache/simulate.h"
#include "core/cache/sized_bound.h"
#include "tests/core/cache/mixed_trace.h"

#include <QTest>

#include <map>

using namespace tamis;
using namespace tamis::cache;

namespace {
Counts boundOf(const Trace& trace, std::uint64_t capacity, std::uint64_t warmUp = 0)
{
    Requests requests = trace.view();
    const std::vector<std::uint32_t> next = nextRequests(trace);
    requests.next = next;
    return sizedBound(requests, capacity, warmUp, {});
}

/// Most value of hits of any cache, by trying every set of objects behind every request. What is held is a set of bits.
double bestByTrying(const Trace& trace, std::uint64_t capacity, const std::vector<double>& values)
{
    std::vector<std::uint64_t> size(trace.ids.size(), 1);
    for (std::size_t i = 0; i < trace.requests() && trace.sized(); ++i)
        size[trace.objects[i]] = trace.sizes[i];
    std::map<unsigned, double> best{{0U, 0.0}};
    for (std::size_t i = 0; i < trace.requests(); ++i) {
        const unsigned own = 1U << trace.objects[i];
        std::map<unsigned, double> behind;
        for (const auto& [held, value] : best) {
            const double now = value + ((held & own) != 0 ? values[i] : 0.0);
            const unsigned all = held | own;
            for (unsigned kept = all;; kept = (kept - 1) & all) { // all subsets
                std::uint64_t bytes = 0;
                for (std::size_t object = 0; object < size.size(); ++object)
                    bytes += (kept >> object & 1U) != 0 ? size[object] : 0;
                if (bytes <= capacity)
                    behind[kept] = std::max(behind[kept], now);
                if (kept == 0)
                    break;
            }
        }
        best = std::move(behind);
    }
    return std::ranges::max_element(best, {}, &std::pair<const unsigned, double>::second)->second;
}
} // namespace

class TstSizedBound : public QObject {
    Q_OBJECT
private slots:
    void neverBelowTheBestThereIs()
    {
        std::uint64_t state = 17;
        double best = 0, bounds = 0;
        for (int trial = 0; trial < 60; ++trial) {
            Trace trace;
            ObjectNumbers numbers;
            std::vector<double> ones, bytes, costs;
            std::array<std::uint32_t, 6> size{};
            for (std::uint32_t& each : size)
                each = static_cast<std::uint32_t>(1 + nextBits(state) % 5);
            for (std::size_t i = 0; i < 24; ++i) {
                const std::uint64_t id = std::min(nextBits(state) % 6, nextBits(state) % 6);
                trace.objects.push_back(numbers.of(id));
                trace.sizes.push_back(size[id]);
                trace.costs.push_back(static_cast<float>(nextBits(state) % 9));
                ones.push_back(1);
                bytes.push_back(size[id]);
                costs.push_back(static_cast<double>(trace.costs.back()));
            }
            trace.ids = numbers.takeIds();
            for (const std::uint64_t capacity : {1U, 4U, 7U, 12U}) {
                const Counts bound = boundOf(trace, capacity);
                const double hits = bestByTrying(trace, capacity, ones);
                QVERIFY(static_cast<double>(bound.hits) >= hits);
                QVERIFY(static_cast<double>(bound.hitBytes) >= bestByTrying(trace, capacity, bytes));
                QVERIFY(bound.hitCost >= bestByTrying(trace, capacity, costs));
                best += hits;
                bounds += static_cast<double>(bound.hits);
            }
        }
        // Sets of objects are whole, stretches in the relaxation are not: some room between the two stays on traces this short.
        QVERIFY2(bounds <= 1.10 * best, qPrintable(QString("%1 of %2").arg(bounds).arg(best)));
    }
    /// One object, a loop of a thousand ten times over, the object again: all would fit on average over time, but not while the loop runs. Behind the first requests the best hits all of the
    /// one object within its two stretches, and, with every place for the loop, `capacity` of it in each of nine rounds (dropping the farthest next request, newcomers too). Relaxed and
    /// with 1024 prices of 80 rounds: within a hundredth of that; without prices it would be all 88,998.
    void fitsOnAverageButNotAtOnce()
    {
        Trace trace;
        ObjectNumbers numbers;
        const auto often = [&] {
            const std::uint32_t object = numbers.of(0);
            trace.objects.insert(trace.objects.end(), 40'000, object);
        };
        often();
        for (int round = 0; round < 10; ++round)
            for (std::uint64_t id = 1; id <= 1000; ++id)
                trace.objects.push_back(numbers.of(id));
        often();
        trace.ids = numbers.takeIds();
        for (const std::uint64_t capacity : {500U, 300U}) {
            const double best = 2 * 39'999 + 9 * static_cast<double>(capacity);
            const auto hits = static_cast<double>(boundOf(trace, capacity).hits);
            QVERIFY2(hits >= best && hits <= 1.01 * best, qPrintable(QString("%1 of %2").arg(hits).arg(best)));
        }
    }
    void neverBelowAnyPolicy()
    {
        for (const bool sized : {false, true}) {
            const Trace trace = mixedTrace(7, 6000, sized);
            std::vector<Configuration> all;
            for (const Method& method : methods())
                all.push_back({method.declaration.id, {}});
            CurveSettings settings{.sizes = sized ? std::vector<std::uint64_t>{20, 700, 2000, 6500, 40000} : std::vector<std::uint64_t>{1, 20, 60, 200, 1500}, .warmUp = 500};
            const report::CacheReport report = missRatioCurves(trace, all, settings, {});
            const auto bound = std::ranges::find(report.curves, "cache.sized-bound", &report::PolicyCurve::policy);
            QVERIFY(bound != report.curves.end() && bound->limit && bound->bound && bound->failure.empty());
            for (const report::PolicyCurve& curve : report.curves)
                for (std::size_t i = 0; i < settings.sizes.size(); ++i) {
                    QVERIFY2(curve.points[i].hits <= bound->points[i].hits, curve.policy.c_str());
                    QVERIFY2(curve.points[i].hitBytes <= bound->points[i].hitBytes, curve.policy.c_str());
                    QCOMPARE(curve.points[i].requests, bound->points[i].requests);
                    QCOMPARE(curve.points[i].bytes, bound->points[i].bytes);
                }
        }
    }
    /// Unit sizes: of all caches that may also pass objects by, the best drops the farthest next request, the newcomer's too, and the relaxation has
    /// the same optimum (a matrix of stretches is totally unimodular). What is left are the 80 rounds for the prices: 3 % at most here, where one price
    /// for all times (PFOO-L) leaves up to 9 %. Where all fits, the bound is exact.
    void nearTheBestOnUnitSizes()
    {
        const Trace trace = mixedTrace(7, 6000, false);
        const std::vector<std::uint32_t> next = nextRequests(trace);
        for (const std::uint64_t capacity : {20U, 60U, 200U, 600U}) {
            std::map<std::uint32_t, std::uint32_t> held; // by the next request; who has none is not worth a place
            std::uint64_t best = 0;
            for (std::size_t i = 0; i < trace.requests(); ++i) {
                best += held.erase(static_cast<std::uint32_t>(i));
                if (next[i] != kNever)
                    held[next[i]] = trace.objects[i];
                if (held.size() > capacity)
                    held.erase(std::prev(held.end()));
            }
            const std::uint64_t bound = boundOf(trace, capacity).hits;
            QVERIFY(bound >= best && best >= simulate(trace, next, *findMethod("cache.belady")->policy({capacity, 1}, {}), 0, {}).hits);
            QVERIFY2(static_cast<double>(bound) <= 1.03 * static_cast<double>(best), qPrintable(QString("%1: %2, best %3").arg(capacity).arg(bound).arg(best)));
        }
        QCOMPARE(boundOf(trace, trace.ids.size()).hits, trace.requests() - trace.ids.size());
    }
    void oddTraces()
    {
        Trace one;
        one.ids = {7};
        one.objects = {0, 0, 0, 0};
        QCOMPARE(boundOf(one, 1).hits, std::uint64_t{3});
        QCOMPARE(boundOf(one, 1, 2).hits, std::uint64_t{2});
        one.sizes = {5, 5, 5, 5};
        QCOMPARE(boundOf(one, 4).hits, std::uint64_t{0}); // larger than the cache
        QCOMPARE(boundOf(one, 5).hitBytes, std::uint64_t{15});
        one.objects = {0};
        one.sizes = {5};
        QCOMPARE(boundOf(one, 5).hits, std::uint64_t{0});
        QVERIFY_THROWS_EXCEPTION(Error, sizedBound(one.view(), 1, 0, {}));
        QVERIFY_THROWS_EXCEPTION(Error, findMethod("cache.sized-bound")->policy({10, 1}, {}));
    }
};

QTEST_GUILESS_MAIN(TstSizedBound)
#include "tst_sized_bound.moc"
