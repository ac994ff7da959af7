// SPDX-License-Identifier: GPL-3.0-or-later
// One size, steps and the shape of a trace against plain recounting: totals are the simulation's, cells are what the policy holds, the heat map is Mattson's pass over time, a
// Zipf exponent is found again.
#include "core/base/error.h"
#include "core/base/split_mix.h"
#include "core/cache/rough_inspection.h"
#include "core/cache/stack_distance.h"
#include "core/cache/steps.h"
#include "core/cache/trace_shape.h"
#include "tests/core/cache/mixed_trace.h"

#include <QElapsedTimer>
#include <QTest>

#include <bit>
#include <chrono>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <thread>

Q_DECLARE_METATYPE(const tamis::cache::Trace*)
Q_DECLARE_METATYPE(tamis::cache::CapacityRules)

using namespace tamis;
using namespace tamis::cache;

namespace {
/// Requests of object r drawn with p(r) ~ 1 / (r + 1), `ids` in that order.
Trace zipfTrace(std::size_t objects, std::size_t requests, std::uint64_t seed)
{
    std::vector<double> sums(objects);
    double sum = 0;
    for (std::size_t r = 0; r < objects; ++r)
        sums[r] = sum += 1.0 / static_cast<double>(r + 1);
    Trace trace;
    ObjectNumbers numbers;
    for (std::size_t i = 0; i < requests; ++i) {
        const double at = sum * static_cast<double>(nextBits(seed) >> 11U) * 0x1p-53;
        trace.objects.push_back(numbers.of(static_cast<std::uint64_t>(std::ranges::upper_bound(sums, at) - sums.begin())));
    }
    trace.ids = numbers.takeIds();
    return trace;
}

template <class Function> bool refused(Function&& function)
{
    try {
        function();
    } catch (const Error& error) {
        return error.code() == ErrorCode::InvalidParameter;
    }
    return false;
}

/// A plain least recently used list with what is asked of evictions.
struct PlainLru {
    std::uint64_t hits = 0, inserts = 0, held = 0;
    report::EvictionOutcome outcome;
};
PlainLru plainLru(const Trace& trace, std::size_t size, std::uint64_t warmUp)
{
    PlainLru plain;
    plain.outcome.wantedAfter.assign(64, 0);
    std::vector<std::uint32_t> list; // the most recent first
    std::map<std::uint32_t, bool> used;
    for (std::size_t i = 0; i < trace.requests(); ++i) {
        const std::uint32_t object = trace.objects[i];
        const auto at = std::ranges::find(list, object);
        if (at != list.end()) {
            list.erase(at);
            plain.hits += i >= warmUp ? 1U : 0U;
            used[object] = true;
        } else {
            if (list.size() == size) {
                const std::uint32_t gone = list.back();
                list.pop_back();
                if (i >= warmUp) {
                    ++plain.outcome.evictions;
                    plain.outcome.neverUsed += used[gone] ? 0U : 1U;
                    const auto again = std::find(trace.objects.begin() + static_cast<std::ptrdiff_t>(i), trace.objects.end(), gone);
                    if (again == trace.objects.end())
                        ++plain.outcome.neverWanted;
                    else
                        ++plain.outcome.wantedAfter[static_cast<std::size_t>(std::bit_width(static_cast<std::size_t>(again - trace.objects.begin()) - i)) - 1];
                }
            }
            used[object] = false;
            plain.inserts += i >= warmUp ? 1U : 0U;
        }
        list.insert(list.begin(), object);
    }
    plain.held = list.size();
    return plain;
}
bool stepsThrough(const Method& method) { return !method.bound; }

Trace costedTrace(Trace trace)
{
    for (const std::uint32_t object : trace.objects)
        trace.costs.push_back(static_cast<float>(1 + trace.ids[object] % 9));
    return trace;
}
/// None, and most of what there is.
std::vector<CapacityRules> rulesFor(const Trace& trace)
{
    CapacityRules busy{.hard = 0.9, .soft = 0.7, .batch = 2, .protectedIds = {trace.ids[0], trace.ids[5], trace.ids[9]}};
    busy.protectedShare = 0.2;
    busy.scene = {SceneSignal::NewObjects, 200, 1};
    busy.action = SceneAction::Forget;
    return {{}, busy};
}
} // namespace

class TstCacheInspect : public QObject {
    Q_OBJECT
    Trace m_unit = mixedTrace(7, 6000, false), m_sized = mixedTrace(7, 6000, true), m_costed = costedTrace(m_sized);

    static float costOf(const Trace& trace, std::size_t request) { return trace.costed() ? trace.costs[request] : 1.0F; }
    void traces()
    {
        QTest::addColumn<const Trace*>("trace");
        QTest::addColumn<CapacityRules>("rules");
        for (const Trace* trace : {&m_unit, &m_sized, &m_costed})
            for (const CapacityRules& rules : rulesFor(*trace))
                QTest::addRow("%s%s%s", trace->sized() ? "sized" : "unit", trace->costed() ? " costed" : "", rules.active() ? " ruled" : "") << trace << rules;
    }

private slots:
    /// Counts are simulate()'s, windows add up to them, whatever the policy, with costs and under rules; every eviction is wanted again or never.
    void countsOfTheSimulation_data() { traces(); }
    void countsOfTheSimulation()
    {
        QFETCH(const Trace*, trace);
        QFETCH(CapacityRules, rules);
        {
            const std::vector<std::uint32_t> next = nextRequests(*trace);
            for (const Method& method : methods()) {
                if (!stepsThrough(method))
                    continue;
                const Configuration configuration{method.declaration.id, {}};
                for (const std::uint64_t warmUp : {0U, 1000U}) {
                    const std::uint64_t size = trace->sized() ? 4000 : 120;
                    const PolicyPtr policy = policyFor(configuration, *trace, size, 3, rules, protectedObjects(rules, *trace));
                    const Counts counts = simulate(*trace, next, *policy, warmUp, {});
                    const report::CacheSizeReport report = inspectSize(*trace, next, configuration, size, {.warmUp = warmUp, .windows = 60, .seed = 3, .rules = rules}, {});
                    QCOMPARE(report.rules.empty(), !obeysRules(method, rules));
                    QVERIFY2(report.requests == counts.requests && report.hits == counts.hits && report.bytes == counts.bytes && report.hitBytes == counts.hitBytes, method.declaration.id.c_str());
                    QCOMPARE(report.held, static_cast<std::uint64_t>(policy->contents().size()));
                    QVERIFY(report.exact && report.stateBytes > 0 && report.size == size && report.warmUp == warmUp);
                    QCOMPARE(report.windows.size(), std::size_t{60}); // of 100 requests each: 1000 is the start of one
                    Counts sum;
                    std::uint64_t expected = 0;
                    for (const report::HitWindow& window : report.windows) {
                        QCOMPARE(window.first, expected);
                        expected += window.requests;
                        if (window.first >= warmUp) {
                            sum.requests += window.requests;
                            sum.hits += window.hits;
                            sum.bytes += window.bytes;
                            sum.hitBytes += window.hitBytes;
                        }
                    }
                    QVERIFY2(sum.requests == counts.requests && sum.hits == counts.hits && sum.bytes == counts.bytes && sum.hitBytes == counts.hitBytes, method.declaration.id.c_str());
                    CapacityRules unwatched = rules;
                    unwatched.scene.signal = SceneSignal::Off;
                    const bool watches = obeysRules(method, rules) && rules.scene.signal != SceneSignal::Off;
                    QCOMPARE(report.unwatched.size(), watches ? report.windows.size() : 0);
                    if (watches) {
                        const report::CacheSizeReport without = inspectSize(*trace, next, configuration, size, {.warmUp = warmUp, .windows = 60, .seed = 3, .rules = unwatched}, {});
                        QVERIFY(std::ranges::equal(report.unwatched, without.windows, [](const auto& a, const auto& b) { return a.first == b.first && a.hits == b.hits && a.hitBytes == b.hitBytes; }));
                        QVERIFY(report.unwatchedHits == without.hits && report.unwatchedHitBytes == without.hitBytes);
                        std::uint64_t changes = 0;
                        for (const report::HitWindow& window : report.windows)
                            changes += window.sceneChanges;
                        const std::vector<PolicyFigure> figures = policy->figures();
                        QCOMPARE(static_cast<double>(changes), std::ranges::find(figures, std::string(kSceneChanges), &PolicyFigure::name)->value);
                    }
                    const report::EvictionOutcome& evicted = report.evicted;
                    QCOMPARE(evicted.neverWanted + std::accumulate(evicted.wantedAfter.begin(), evicted.wantedAfter.end(), std::uint64_t{0}), evicted.evictions);
                    QVERIFY(evicted.neverUsed <= evicted.evictions);
                }
            }
        }
    }
    /// Against a list that is searched, eviction by eviction.
    void outcomesOfEvictions()
    {
        for (const std::uint64_t warmUp : {0U, 2500U})
            for (const std::size_t size : {1U, 30U, 250U}) {
                const PlainLru plain = plainLru(m_unit, size, warmUp);
                const report::CacheSizeReport report = inspectSize(m_unit, {}, {"cache.lru", {}}, size, {.warmUp = warmUp}, {});
                QCOMPARE(report.hits, plain.hits);
                QCOMPARE(report.evicted.evictions, plain.outcome.evictions);
                QCOMPARE(report.evicted.neverWanted, plain.outcome.neverWanted);
                QCOMPARE(report.evicted.neverUsed, plain.outcome.neverUsed);
                for (std::size_t i = 0; i < plain.outcome.wantedAfter.size(); ++i)
                    QCOMPARE(i < report.evicted.wantedAfter.size() ? report.evicted.wantedAfter[i] : 0U, plain.outcome.wantedAfter[i]);
                if (warmUp == 0) // unit sizes: what entered and did not leave is there
                    QCOMPARE(report.requests - report.hits - report.evicted.evictions, report.held);
            }
    }
    /// A first answer is the whole's within five standard deviations of the misses counted in it (misses come in bursts of one object, of which few are in it), and the grain of
    /// the cache; in large caches of some of the objects, in small ones of stretches of the trace, two thirds of which are counted.
    void firstAnswer_data()
    {
        QTest::addColumn<QByteArray>("id");
        QTest::addColumn<std::uint64_t>("size");
        QTest::addColumn<std::uint64_t>("warmUp");
        for (const char* id : {"cache.lru", "cache.s3-fifo", "cache.belady"})
            for (const std::uint64_t size : {40U, 300U, 2'000U, 10'000U})
                for (const std::uint64_t warmUp : {0U, 100'000U})
                    QTest::addRow("%s %d %d", id, static_cast<int>(size), static_cast<int>(warmUp)) << QByteArray(id) << size << warmUp;
    }
    void firstAnswer()
    {
        constexpr std::size_t kShown = 50'000;
        QFETCH(QByteArray, id);
        QFETCH(std::uint64_t, size);
        QFETCH(std::uint64_t, warmUp);
        static const Trace trace = zipfTrace(200'000, 600'000, 5);
        static const std::vector<std::uint32_t> next = nextRequests(trace);
        static const ThinnedTrace thinned = thinnedTrace(trace, {});
        const Configuration configuration{id.toStdString(), {}};
        const report::CacheSizeReport whole = inspectSize(trace, next, configuration, size, {.warmUp = warmUp}, {});
        const auto first = inspectRoughly(trace, next, thinned, configuration, size, {.warmUp = warmUp}, kShown, {});
        QVERIFY(first && !first->exact && whole.exact);
        QCOMPARE(first->requests, whole.requests);
        QCOMPARE(first->bytes, whole.bytes);
        QCOMPARE(first->size, size);
        const bool stretches = size < 60 * 600'000 / kShown;
        QVERIFY(stretches ? first->windows.size() >= 2 && first->windows.size() <= 20 : first->windows.size() == whole.windows.size());
        std::uint64_t at = 0;
        for (const report::HitWindow& window : first->windows) {
            QCOMPARE(window.first, at);
            at += window.requests;
            QVERIFY(window.hits <= window.requests);
        }
        QCOMPARE(at, std::uint64_t{600'000});
        const auto ratio = [](const report::CacheSizeReport& report) { return static_cast<double>(report.hits) / static_cast<double>(report.requests); };
        const double missesSeen = (1 - ratio(whole)) * static_cast<double>(kShown) * (stretches ? 2.0 / 3 : 1) * static_cast<double>(whole.requests) / 600'000, band = 5 / std::sqrt(missesSeen) + 0.01;
        QVERIFY2(std::abs(ratio(*first) - ratio(whole)) <= band, qPrintable(QString("%1, whole %2").arg(ratio(*first)).arg(ratio(whole))));
        const auto share = [](std::uint64_t part, std::uint64_t of) { return static_cast<double>(part) / static_cast<double>(of); };
        QVERIFY2(std::abs(share(first->held, whole.held) - 1) < 0.05, qPrintable(QString("%1, whole %2").arg(first->held).arg(whole.held)));
        QVERIFY2(std::abs(share(first->evicted.evictions, whole.evicted.evictions) - 1) < 2 * band, qPrintable(QString("%1, whole %2").arg(first->evicted.evictions).arg(whole.evicted.evictions)));
        QVERIFY(std::abs(share(first->evicted.neverWanted, first->evicted.evictions) - share(whole.evicted.neverWanted, whole.evicted.evictions)) < 2 * band);
        QVERIFY(std::abs(share(first->evicted.neverUsed, first->evicted.evictions) - share(whole.evicted.neverUsed, whole.evicted.evictions)) < 2 * band);
        // what is read in place of the trace leads to the same
        const auto walked = inspectRoughly(trace, next, ThinnedTrace(), configuration, size, {.warmUp = warmUp}, kShown, {});
        QVERIFY(walked && walked->hits == first->hits && walked->held == first->held && walked->evicted.wantedAfter == first->evicted.wantedAfter);
    }
    /// Requests that weigh sizes and costs, of a policy that counts the requests that it is shown, too.
    void firstAnswerWithSizes()
    {
        Trace trace = zipfTrace(20'000, 400'000, 6);
        for (const std::uint32_t object : trace.objects) {
            trace.sizes.push_back(static_cast<std::uint32_t>(20 + trace.ids[object] % 50 * (trace.ids[object] % 7)));
            trace.costs.push_back(static_cast<float>(1 + trace.ids[object] % 9));
        }
        const std::vector<std::uint32_t> next = nextRequests(trace);
        const ThinnedTrace thinned = thinnedTrace(trace, {});
        QCOMPARE(thinned.meanSize, static_cast<double>(trace.workingSet()) / static_cast<double>(trace.ids.size()));
        for (const char* id : {"cache.lru", "cache.gdsf", "cache.belady-size"})
            for (const std::uint64_t size : {20'000U, 400'000U}) {
                const report::CacheSizeReport whole = inspectSize(trace, next, {id, {}}, size, {.warmUp = 50'000}, {});
                const auto first = inspectRoughly(trace, next, thinned, {id, {}}, size, {.warmUp = 50'000}, 40'000, {});
                QVERIFY(first.has_value());
                const auto share = [](std::uint64_t part, std::uint64_t of) { return static_cast<double>(part) / static_cast<double>(of); };
                QVERIFY2(std::abs(share(first->hits, first->requests) - share(whole.hits, whole.requests)) < 0.05, qPrintable(QString("%1: %2, whole %3").arg(id).arg(share(first->hits, first->requests)).arg(share(whole.hits, whole.requests))));
                QVERIFY2(std::abs(share(first->hitBytes, first->bytes) - share(whole.hitBytes, whole.bytes)) < 0.05, qPrintable(QString("%1: %2, whole %3").arg(id).arg(share(first->hitBytes, first->bytes)).arg(share(whole.hitBytes, whole.bytes))));
            }
    }
    /// Nothing where the whole is as soon there, where nothing was seen, and of scenes where the trace is in pieces; what was seen until a stop.
    void firstAnswersThatAreNone()
    {
        const std::vector<std::uint32_t> next = nextRequests(m_unit);
        const auto asked = [&](std::uint64_t size, std::size_t requests, const CapacityRules& rules, const RunContext& context) {
            return inspectRoughly(m_unit, next, thinnedTrace(m_unit, {}), {"cache.lru", {}}, size, {.rules = rules}, requests, context);
        };
        QVERIFY(asked(100, 3000, {}, {}) && !asked(100, 3001, {}, {}));
        CapacityRules scenes;
        scenes.scene = {SceneSignal::NewObjects, 200, 1};
        QVERIFY(!asked(10, 1000, scenes, {}));
        const auto large = asked(600, 1000, scenes, {});
        QVERIFY(large && large->unwatched.size() == large->windows.size());
        std::stop_source stop;
        stop.request_stop();
        QVERIFY(!asked(100, 1000, {}, RunContext(stop.get_token())));
        const Trace trace = zipfTrace(50'000, 300'000, 7);
        const std::vector<std::uint32_t> after = nextRequests(trace);
        std::stop_source soon;
        std::jthread stopper([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            soon.request_stop();
        });
        const auto some = inspectRoughly(trace, after, thinnedTrace(trace, {}), {"cache.gbm", {}}, 5000, {}, 150'000, RunContext(soon.get_token())); // it takes seconds
        QVERIFY(soon.stop_requested());
        QVERIFY(!some || (some->windows.size() < 200 && some->hits <= some->requests && some->requests == 300'000));
        QVERIFY(refused([&] { asked(0, 100, {}, {}); }));
        QVERIFY(refused([&] { asked(10, 100, {.hard = 0, .protectedIds = {}}, {}); }));
    }
    /// Another set of objects behind the middle: the window in which the cache is cleared is told, and hits with and without come apart behind it alone.
    void scenesOverTime()
    {
        constexpr std::size_t kRequests = 20'000, kChange = 10'000;
        Trace trace;
        ObjectNumbers numbers;
        std::uint64_t state = 1;
        for (std::size_t i = 0; i < kRequests; ++i) {
            const std::uint64_t a = nextBits(state) % 200, b = nextBits(state) % 200;
            trace.objects.push_back(numbers.of((i < kChange ? 0 : 1000) + std::min(a, b)));
        }
        trace.ids = numbers.takeIds();
        const std::vector<std::uint32_t> next = nextRequests(trace);
        CapacityRules rules;
        rules.scene = {SceneSignal::NewObjects, 500, 5};
        for (const char* id : {"cache.lfu", "cache.lru"}) {
            const report::CacheSizeReport report = inspectSize(trace, next, {id, {}}, 100, {.windows = 20, .rules = rules}, {});
            QCOMPARE(report.windows.size(), std::size_t{20});
            for (std::size_t i = 0; i < 20; ++i) {
                QCOMPARE(report.windows[i].sceneChanges, std::uint64_t{i == 10 ? 1U : 0U}); // of 1000 requests each
                if (i < 10)
                    QCOMPARE(report.windows[i].hits, report.unwatched[i].hits);
            }
            std::uint64_t hits = 0, without = 0;
            for (std::size_t i = 10; i < 20; ++i) {
                hits += report.windows[i].hits;
                without += report.unwatched[i].hits;
            }
            QVERIFY2(QByteArray(id) == "cache.lru" || hits > without + 1000, id); // counts of what is gone are in the way
            QCOMPARE(report.hits - report.unwatchedHits, hits - without);
        }
    }
    /// What the cells hold after every step is what the policy holds, for every policy, with and without sizes.
    void cellsAreTheContents_data() { traces(); }
    void cellsAreTheContents()
    {
        constexpr std::uint64_t kFirst = 700, kCount = 600;
        QFETCH(const Trace*, trace);
        QFETCH(CapacityRules, rules);
        {
            const std::vector<std::uint32_t> next = nextRequests(*trace);
            for (const Method& method : methods()) {
                if (!stepsThrough(method))
                    continue;
                const std::uint64_t size = trace->sized() ? 900 : 40;
                const report::CacheStepReport report = playSteps(*trace, next, {method.declaration.id, {}}, size, {.first = kFirst, .count = kCount, .seed = 9, .rules = rules}, {});
                QCOMPARE(report.steps.size(), std::size_t{kCount});
                QCOMPARE(report.start.size(), static_cast<std::size_t>(report.cells));
                const PolicyPtr policy = policyFor({method.declaration.id, {}}, *trace, size, 9, rules, protectedObjects(rules, *trace));
                policy->know(trace->ids.size());
                for (std::size_t i = 0; i < kFirst; ++i)
                    policy->request({trace->objects[i], trace->sized() ? trace->sizes[i] : 1U, next[i], costOf(*trace, i)});
                std::vector<std::uint32_t> cells = report.start;
                std::size_t most = 0;
                for (std::size_t i = 0; i < kCount; ++i) {
                    const report::CacheStep& step = report.steps[i];
                    const std::size_t now = kFirst + i;
                    QCOMPARE(step.request, std::uint64_t{now});
                    QCOMPARE(step.object, trace->objects[now]);
                    const bool hit = policy->request({step.object, step.size, next[now], costOf(*trace, now)});
                    QVERIFY2(step.hit == hit, method.declaration.id.c_str());
                    for (const report::StepEviction& each : step.evicted) {
                        QVERIFY(!each.why.empty());
                        if (each.cell >= 0) {
                            QCOMPARE(cells[static_cast<std::size_t>(each.cell)], each.object);
                            cells[static_cast<std::size_t>(each.cell)] = kNever;
                        }
                        const auto again = std::find(trace->objects.begin() + static_cast<std::ptrdiff_t>(now) + 1, trace->objects.end(), each.object);
                        QCOMPARE(each.wantedIn, again == trace->objects.end() ? -1 : static_cast<std::int64_t>(again - trace->objects.begin()) - static_cast<std::int64_t>(now));
                    }
                    if (step.cell >= 0) {
                        std::uint32_t& cell = cells[static_cast<std::size_t>(step.cell)];
                        QVERIFY2(cell == step.object || (!hit && cell == kNever), method.declaration.id.c_str());
                        cell = step.object;
                    }
                    QCOMPARE(step.bypassed, !hit && step.cell < 0);
                    std::multiset<std::uint32_t> lying;
                    for (const std::uint32_t object : cells)
                        if (object != kNever)
                            lying.insert(object);
                    const std::vector<std::uint32_t> contents = policy->contents();
                    QVERIFY2(lying == std::multiset<std::uint32_t>(contents.begin(), contents.end()), method.declaration.id.c_str());
                    most = std::max(most, lying.size());
                }
                QVERIFY(most <= static_cast<std::size_t>(report.cells));
                QVERIFY(std::ranges::is_sorted(report.named) && report.named.size() == report.names.size());
                for (std::size_t i = 0; i < report.named.size(); ++i)
                    QCOMPARE(report.names[i], std::to_string(trace->ids[report.named[i]]));
                for (const report::CacheStep& step : report.steps)
                    QVERIFY(std::ranges::binary_search(report.named, step.object));
            }
        }
    }
    /// 1 2 3 in a cache of two, word by word.
    void whyInWords()
    {
        Trace trace;
        trace.ids = {10, 20, 30, 40};
        trace.objects = {0, 1, 0, 2, 1, 0, 3};
        const auto why = [&](const char* id, std::uint64_t first) {
            const report::CacheStepReport report = playSteps(trace, {}, {id, {}}, 2, {.first = first, .count = 1}, {});
            return report.steps.front().evicted.empty() ? std::string() : report.steps.front().evicted.front().why;
        };
        QCOMPARE(why("cache.lru", 3), std::string("least recently requested of the 2 held, 2 requests ago; not requested again since it entered 2 requests ago; by recency last of 2"));
        QCOMPARE(why("cache.fifo", 3), std::string("2nd least recently requested of the 2 held, 1 request ago; requested again once since it entered 3 requests ago; the queue's last of 2"));
        QCOMPARE(why("cache.sieve", 3), std::string("least recently requested of the 2 held, 2 requests ago; not requested again since it entered 2 requests ago; not requested since the hand came by"));
        QCOMPARE(why("cache.lru-k", 3), std::string("least recently requested of the 2 held, 2 requests ago; not requested again since it entered 2 requests ago; fewer than 2 requests known"));
        QCOMPARE(why("cache.lru", 2), std::string());
        const report::CacheStepReport played = playSteps(trace, {}, {"cache.lru", {}}, 2, {.first = 0, .count = 100}, {});
        QCOMPARE(played.steps.size(), std::size_t{7});
        QCOMPARE(played.cells, 2);
        QCOMPARE(played.steps[3].evicted.front().wantedIn, std::int64_t{1});
        QCOMPARE(played.steps[6].evicted.front().wantedIn, std::int64_t{-1});
        QVERIFY(played.names == (std::vector<std::string>{"10", "20", "30", "40"}));
        for (const Method& method : methods()) // every policy that keeps more than an order has something of its own to say
            if (stepsThrough(method)) {
                const PolicyPtr policy = policyFor({method.declaration.id, {}}, m_unit, 50, 1);
                policy->know(m_unit.ids.size());
                for (std::size_t i = 0; i < 1000; ++i)
                    policy->request({m_unit.objects[i]});
                for (const std::uint32_t object : policy->contents())
                    QVERIFY2(!policy->standing(object).empty(), method.declaration.id.c_str());
            }
    }
    /// One large object sends three small ones away: each is told of those that are still there.
    void severalLeaveWithOneRequest()
    {
        Trace trace;
        trace.ids = {1, 2, 3, 4};
        trace.objects = {0, 1, 2, 0, 3};
        trace.sizes = {2, 3, 4, 2, 8};
        const report::CacheStepReport report = playSteps(trace, {}, {"cache.lru", {}}, 9, {.first = 4, .count = 1}, {});
        const auto& evicted = report.steps.front().evicted;
        QCOMPARE(evicted.size(), std::size_t{3});
        const char* const starts[] = {"least recently requested of the 3 held, 3 requests ago; ", "least recently requested of the 2 held, 2 requests ago; ", "least recently requested of the 1 held, 1 request ago; "};
        for (std::size_t i = 0; i < 3; ++i)
            QVERIFY2(evicted[i].why.starts_with(starts[i]), evicted[i].why.c_str());
        QCOMPARE(report.steps.front().cell, 0);
    }
    /// 100,000 objects held, each of 30,000 steps evicts one and counts what is older: 3e9 visits cell by cell (many seconds), half a million in sums of halves.
    void manyCells()
    {
        constexpr std::uint32_t kHeld = 100'000, kSteps = 30'000;
        Trace trace;
        for (std::uint32_t i = 0; i < kHeld + kSteps; ++i) {
            trace.objects.push_back(i);
            trace.ids.push_back(i);
            trace.sizes.push_back(1 + i % 2);
        }
        QElapsedTimer timer;
        timer.start();
        const report::CacheStepReport report = playSteps(trace, {}, {"cache.lru", {}}, 150'000, {.first = kHeld, .count = kSteps}, {});
        QVERIFY2(timer.elapsed() < 2000, qPrintable(QString::number(timer.elapsed())));
        QVERIFY(report.steps.back().evicted.front().why.starts_with("least recently requested of the "));
    }
    /// Columns add up to their requests, all of them together to Mattson's counts.
    void heatMap()
    {
        for (const int columns : {1, 7, 64, 100'000}) {
            const report::TraceReport report = traceShape(m_unit, columns, {});
            const StackDistances distances = stackDistances(m_unit.objects, m_unit.ids.size(), 0, {});
            const auto bins = static_cast<std::size_t>(report.distanceBins);
            std::vector<std::uint64_t> expected(bins, 0), sums(bins, 0);
            for (std::size_t d = 1; d <= distances.counts.size(); ++d)
                expected[static_cast<std::size_t>(std::bit_width(d) - 1)] += distances.counts[d - 1];
            std::uint64_t first = 0, requests = 0;
            QVERIFY(report.columns <= columns && report.columns >= 1);
            for (std::size_t column = 0; column < static_cast<std::size_t>(report.columns); ++column) {
                std::uint64_t here = report.first[column];
                first += report.first[column];
                for (std::size_t bin = 0; bin < bins; ++bin) {
                    here += report.counts[column * bins + bin];
                    sums[bin] += report.counts[column * bins + bin];
                }
                QCOMPARE(here, std::min<std::uint64_t>(report.requestsPerColumn, m_unit.requests() - requests));
                requests += here;
            }
            QCOMPARE(requests, static_cast<std::uint64_t>(m_unit.requests()));
            QCOMPARE(first, distances.first);
            QVERIFY(sums == expected);
        }
    }
    /// 1,000 objects, a million requests: ranks are nearly known (expected counts of neighbours differ little beside 133 requests of the rarest, so that the order of the tail is the
    /// sample's: it moves the exponent by 1e-4), the exponent is found within three of its standard errors of 5e-4 and that.
    void zipfFoundAgain()
    {
        const Trace trace = zipfTrace(1000, 1'000'000, 11);
        const report::TraceReport report = traceShape(trace, 10, {});
        QCOMPARE(report.ranks.front(), std::uint64_t{1});
        QCOMPARE(report.ranks.back(), std::uint64_t{1000});
        QVERIFY(std::ranges::is_sorted(report.ranks) && std::ranges::is_sorted(report.rankRequests, std::greater<>()));
        QVERIFY2(std::abs(report.zipfExponent - 1) < 3 * 5e-4 + 2e-4, qPrintable(QString::number(report.zipfExponent)));
        QVERIFY(report.zipfDistance < 2e-3); // 1.36 / sqrt(requests) at five per cent, doubled
        std::vector<std::uint64_t> counts(trace.ids.size(), 0);
        for (const std::uint32_t object : trace.objects)
            ++counts[object];
        std::ranges::sort(counts, std::greater<>());
        const ZipfFit fit = fitZipf(counts, {});
        QCOMPARE(fit.exponent, report.zipfExponent);
        QVERIFY(fit.deviation > 3e-4 && fit.deviation < 7e-4);
        // counts that are the law itself, and the ends
        for (const double exponent : {0.3, 0.8, 1.0, 1.7, 3.0}) {
            std::vector<std::uint64_t> law;
            for (std::size_t r = 1; r <= 500; ++r)
                law.push_back(static_cast<std::uint64_t>(std::llround(1e15 * std::pow(static_cast<double>(r), -exponent))));
            const ZipfFit exact = fitZipf(law, {});
            QVERIFY(std::abs(exact.exponent - exponent) < 1e-6 && exact.distance < 1e-6); // rounding of the rarest: 1e-15 x 500^3 of its weight
        }
        const std::vector<std::uint64_t> even(50, 4), one(1, 9);
        QVERIFY(std::abs(fitZipf(even, {}).exponent) < 1e-9);
        QVERIFY(std::isnan(fitZipf(one, {}).exponent));
    }
    void stopsAndRefusals()
    {
        std::stop_source stop;
        stop.request_stop();
        const RunContext stopped(stop.get_token());
        QVERIFY_EXCEPTION_THROWN(inspectSize(m_unit, {}, {"cache.lru", {}}, 10, {}, stopped), Error);
        QVERIFY_EXCEPTION_THROWN(traceShape(m_unit, 10, stopped), Error);
        QVERIFY_EXCEPTION_THROWN(playSteps(m_unit, {}, {"cache.lru", {}}, 10, {}, stopped), Error);
        const std::vector<std::uint32_t> shortNext(5, kNever);
        Parameters wrong;
        wrong.set("segments", std::int64_t{99});
        const CapacityRules nothing{.hard = 0, .protectedIds = {}};
        QVERIFY(refused([&] { inspectSize(m_unit, {}, {"cache.lru", {}}, 10, {.rules = nothing}, {}); }));
        QVERIFY(refused([&] { playSteps(m_unit, {}, {"cache.lru", {}}, 10, {.rules = nothing}, {}); }));
        QVERIFY(refused([&] { inspectSize(m_unit, {}, {"cache.none", {}}, 10, {}, {}); }));
        QVERIFY(refused([&] { inspectSize(m_unit, {}, {"cache.slru", wrong}, 10, {}, {}); }));
        QVERIFY(refused([&] { inspectSize(m_unit, {}, {"cache.lru", {}}, 0, {}, {}); }));
        QVERIFY(refused([&] { inspectSize(m_unit, {}, {"cache.lru", {}}, 10, {.windows = 0}, {}); }));
        QVERIFY(refused([&] { inspectSize(m_unit, shortNext, {"cache.lru", {}}, 10, {}, {}); }));
        QVERIFY(refused([&] { traceShape(m_unit, 0, {}); }));
        QVERIFY(refused([&] { playSteps(m_unit, {}, {"cache.lru", {}}, 10, {.first = 6000}, {}); }));
        QVERIFY(refused([&] { playSteps(m_unit, {}, {"cache.lru", {}}, 10, {.count = 0}, {}); }));
        QVERIFY(refused([&] { playSteps(m_unit, {}, {"cache.lru", {}}, 0, {}, {}); }));
    }
};

QTEST_GUILESS_MAIN(TstCacheInspect)
#include "tst_cache_inspect.moc"
