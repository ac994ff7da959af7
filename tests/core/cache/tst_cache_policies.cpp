// SPDX-License-Identifier: GPL-3.0-or-later
// Every policy against plain Python twins (tests/golden/make_cache_golden.py), against published counts where their trace is at hand, and what
// must hold for all: the cache is never overfull, what is told of evictions adds up, the fast loop gives what single requests give.
#include "core/cache/load_trace.h"
#include "core/cache/method.h"
#include "core/cache/simulate.h"
#include "tests/core/cache/mixed_trace.h"

#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTest>

#include <cmath>
#include <set>

using namespace tamis;
using namespace tamis::cache;

namespace {
std::uint64_t hitsOf(const Trace& trace, std::span<const std::uint32_t> next, const std::string& id, std::uint64_t capacity, const Parameters& parameters = {})
{
    const PolicyPtr policy = findMethod(id)->policy({capacity, 3}, parameters);
    return simulate(trace, next, *policy, 0, {}).hits;
}

std::filesystem::path traces() { return qEnvironmentVariable("TAMIS_SHARED_DATA", TAMIS_SOURCE_DIR "/../shared/data").toStdString() + "/traces"; }

constexpr double kNone = -1; ///< the table has no value

struct Published {
    const char* policy;
    std::array<std::uint64_t, 5> misses; ///< at 128, 256, 512, 768, 1024 MiB
};
/// libCacheSim's own tests on its CloudPhysics sample. Random and LeCaR draw from a generator of their own; its size-aware Belady looks at a sample.
constexpr std::array<Published, 12> kPublished{{{"cache.lru", {93374, 89783, 81722, 72104, 71704}}, {"cache.fifo", {93403, 89386, 84025, 72228, 72140}},
    {"cache.clock", {93313, 89775, 81328, 72283, 64456}}, {"cache.lfu", {91699, 86720, 76707, 66221, 64376}}, {"cache.sieve", {91699, 86720, 76707, 66221, 64376}},
    {"cache.s3-fifo", {89307, 82387, 76791, 70343, 70355}}, {"cache.arc", {90252, 85861, 74297, 65685, 64772}}, {"cache.slru", {89624, 86725, 80203, 65645, 56063}},
    {"cache.lirs", {89819, 79237, 70363, 64494, 53924}}, {"cache.gdsf", {89068, 84750, 70488, 64180, 58721}}, {"cache.mru", {100738, 95058, 85544, 77038, 66919}},
    {"cache.belady", {79256, 70724, 61594, 57599, 48974}}}};
} // namespace

class TstCachePolicies : public QObject {
    Q_OBJECT
    Trace m_unit, m_sized;
    std::vector<std::uint32_t> m_next;

private slots:
    void initTestCase()
    {
        m_unit = mixedTrace(7, 6000, false);
        m_sized = mixedTrace(7, 6000, true);
        m_next = nextRequests(m_unit);
    }
    void plainTwins()
    {
        QFile file(TAMIS_SOURCE_DIR "/tests/golden/cache_golden.json");
        QVERIFY(file.open(QIODevice::ReadOnly));
        const QJsonObject golden = QJsonDocument::fromJson(file.readAll()).object();
        double checksum = 0;
        for (std::size_t i = 0; i < m_unit.requests(); ++i)
            checksum += static_cast<double>((i + 1) * m_unit.ids[m_unit.objects[i]]);
        QCOMPARE(checksum, golden["checksum"].toDouble()); // below 2^53: exact
        for (const bool sized : {false, true}) {
            const QJsonObject policies = golden[sized ? "sized" : "unit"].toObject();
            QVERIFY(policies.size() >= 22);
            for (auto policy = policies.begin(); policy != policies.end(); ++policy) {
                const QJsonObject hits = policy.value().toObject();
                Parameters parameters;
                const bool variant = policy.key().startsWith("lru-2 ") || policy.key() == "lru-3";
                if (variant) {
                    const bool retained = policy.key().endsWith("retained"), correlated = policy.key().endsWith("correlated");
                    parameters.set("k", std::int64_t{policy.key() == "lru-3" ? 3 : 2});
                    parameters.set("correlated", std::int64_t{retained ? 25 : correlated ? 40 : 0});
                    parameters.set("retained", std::int64_t{retained ? 300 : 0});
                }
                if (policy.key().endsWith(" window")) { // fewer labels than there are: the oldest are written over
                    parameters.set("window", std::int64_t{512});
                    parameters.set("retrain", std::int64_t{256});
                }
                const bool weights = policy.key().endsWith(" weights"), costs = weights || policy.key().endsWith(" costs");
                if (weights)
                    parameters.set("uniqueness", 2.0);
                const std::string id = variant ? "cache.lru-k" : "cache." + policy.key().section(' ', 0, 0).toStdString();
                Trace trace = sized ? m_sized : m_unit;
                for (std::size_t i = 0; costs && i < trace.requests(); ++i)
                    trace.costs.push_back(static_cast<float>(trace.ids[trace.objects[i]] * 40503 % 16));
                for (std::size_t i = 0; weights && i < trace.requests(); ++i)
                    trace.uniqueness.push_back(std::ldexp(1.0F, -static_cast<int>(trace.ids[trace.objects[i]] % 4)));
                for (auto size = hits.begin(); size != hits.end(); ++size) {
                    const std::uint64_t found = hitsOf(trace, m_next, id, size.key().toULongLong(), parameters);
                    // Fitted in double, where products that a compiler fuses with sums differ in the last bits: these may decide between two objects of nearly the same worth.
                    const bool fits = policy.key() == "ar-gap" || policy.key() == "hit-weights" || id == "cache.logistic" || id == "cache.gbm";
                    const auto expected = static_cast<std::uint64_t>(size.value().toInteger());
                    QVERIFY2(found + (fits ? expected / 100 : 0) >= expected && found <= expected + (fits ? expected / 100 : 0),
                             qPrintable(QString("%1 %2: %3, expected %4").arg(policy.key(), size.key()).arg(found).arg(size.value().toInteger())));
                }
            }
        }
    }
    void publishedCounts()
    {
        const std::filesystem::path file = traces() / "cloudPhysicsIO.oracleGeneral.bin";
        if (!std::filesystem::exists(file))
            QSKIP("../shared/data/traces is not there");
        const Trace trace = loadTrace(file, {}, {});
        QCOMPARE(trace.requests(), std::size_t{113872});
        QCOMPARE(trace.ids.size(), std::size_t{48974});
        QCOMPARE(trace.workingSet(), std::uint64_t{2029769728});
        const std::vector<std::uint32_t> next = nextRequests(trace);
        constexpr std::array<std::uint64_t, 5> kSizes{128, 256, 512, 768, 1024};
        for (const Published& each : kPublished) {
            Parameters parameters;
            if (std::string(each.policy) == "cache.slru")
                parameters.set("segments", std::int64_t{5});
            for (std::size_t i = 0; i < kSizes.size(); ++i)
                QVERIFY2(trace.requests() - hitsOf(trace, next, each.policy, kSizes[i] << 20U, parameters) == each.misses[i], each.policy);
        }
    }
    /// Hits in per cent of Caffeine's unit-size traces: LRU, LRU-2, ARC, S3-FIFO, SIEVE, OPT, LIRS (the notes' table, measured there by other programs).
    void publishedRatios()
    {
        struct Row {
            const char* file;
            std::uint64_t capacity;
            std::array<double, 7> percent;
        };
        // LIRS in caches of 100 and 50, whose queue of a hundredth has one place: 47.30 and 55.51 are ours, the table has libCacheSim's 47.29 and
        // 55.53. There a hit in that queue makes room by taking the very object out that is hit, and goes on counting it as held: six and seven
        // hits are of what it had evicted. Tried in the plain twin, that gives the table's values to the digit; ours keeps the object.
        constexpr std::array<Row, 9> kRows{{{"lirs_2_pools.trace.gz", 100, {21.95, 45.59, 46.88, 44.57, 47.89, 50.64, 47.30}}, {"lirs_2_pools.trace.gz", 450, {50.27, 51.68, 51.62, 51.65, 51.60, 62.04, 51.65}},
            {"cpp.txt", 50, {9.26, 28.79, 33.82, 46.02, 44.30, 62.76, 55.51}}, {"gli.txt", 1000, {11.21, 26.63, 21.31, 35.05, 31.34, 53.13, 50.72}},
            {"multi1.txt", 1500, {48.56, 59.71, 70.81, 69.90, 49.84, 83.01, 80.92}}, {"lirs_multi3.trace.gz", 1200, {41.21, 44.81, 45.74, 45.48, 45.10, 58.93, 54.00}},
            {"cs.txt", 500, {1.83, 1.83, 1.83, kNone, kNone, 31.32, kNone}}, {"lirs_loop.trace.gz", 512, {0.00, 0.00, 0.00, kNone, kNone, 50.54, kNone}},
            {"ps.txt", 2000, {70.48, 61.54, 61.46, kNone, kNone, 70.49, kNone}}}};
        if (!std::filesystem::exists(traces() / "cpp.txt"))
            QSKIP("../shared/data/traces is not there");
        const std::array<const char*, 7> policies{"cache.lru", "cache.lru-k", "cache.arc", "cache.s3-fifo", "cache.sieve", "cache.belady", "cache.lirs"};
        for (const Row& row : kRows) {
            const Trace trace = loadTrace(traces() / row.file, {}, {});
            const std::vector<std::uint32_t> next = nextRequests(trace);
            for (std::size_t p = 0; p < policies.size(); ++p) {
                if (row.percent[p] == kNone)
                    continue;
                const double percent = 100.0 * static_cast<double>(hitsOf(trace, next, policies[p], row.capacity)) / static_cast<double>(trace.requests());
                QVERIFY2(std::abs(percent - row.percent[p]) <= 0.00501, qPrintable(QString("%1 %2: %3, expected %4").arg(row.file, policies[p]).arg(percent).arg(row.percent[p])));
            }
        }
    }
    void neverOverfull()
    {
        for (const Method& method : methods()) {
            if (method.bound)
                continue;
            for (const bool sized : {false, true})
                for (const std::uint64_t capacity : {1U, 2U, 7U, 64U, 500U, 100000U}) {
                    const Trace& trace = sized ? m_sized : m_unit;
                    const PolicyPtr policy = method.policy({capacity, 1}, {}), fast = method.policy({capacity, 1}, {});
                    std::set<std::uint32_t> held; // by what is told, and what the answers say
                    policy->watchEvictions([&](std::uint32_t object) { held.erase(object); });
                    std::uint64_t hits = 0;
                    for (std::size_t i = 0; i < 3000; ++i) {
                        const std::uint32_t object = trace.objects[i];
                        policy->know(object + 1);
                        const bool there = held.contains(object);
                        const bool hit = policy->request({object, sized ? trace.sizes[i] : 1U, m_next[i]});
                        hits += hit ? 1U : 0U;
                        QVERIFY2(policy->occupied() <= capacity, method.declaration.id.c_str());
                        QVERIFY2(hit <= there, method.declaration.id.c_str()); // no hit on what has left
                        if (i % 100 == 99) {
                            const std::vector<std::uint32_t> contents = policy->contents();
                            held = {contents.begin(), contents.end()};
                            QCOMPARE(held.size(), contents.size());
                            std::uint64_t bytes = 0;
                            for (const std::uint32_t each : contents)
                                bytes += sized ? 1 + trace.ids[each] * 2654435761U % 64 : 1;
                            QVERIFY2(bytes == policy->occupied(), method.declaration.id.c_str());
                        } else {
                            held.insert(object); // at most: it may have passed by
                        }
                    }
                    Counts counts;
                    fast->know(trace.ids.size());
                    fast->run({std::span(trace.objects).first(3000), sized ? std::span<const std::uint32_t>(trace.sizes).first(3000) : std::span<const std::uint32_t>(), std::span(m_next).first(3000)}, counts);
                    QVERIFY2(counts.hits == hits, method.declaration.id.c_str());
                    QVERIFY(policy->stateBytes() > 0);
                }
        }
    }
    /// Every policy gives up what it holds one by one until nothing is left, tells of each, and is a cache again afterwards.
    void emptiedOneByOne()
    {
        for (const Method& method : methods()) {
            if (method.bound)
                continue;
            for (const bool sized : {false, true})
                for (const std::uint64_t capacity : {1U, 7U, 64U, 500U}) {
                    const Trace& trace = sized ? m_sized : m_unit;
                    const PolicyPtr policy = method.policy({capacity, 1}, {});
                    policy->know(trace.ids.size());
                    QVERIFY(!policy->evictOne());
                    for (int round = 0; round < 3; ++round) {
                        for (std::size_t i = 0; i < 1500; ++i)
                            policy->request({trace.objects[i], sized ? trace.sizes[i] : 1U, m_next[i]});
                        const std::vector<std::uint32_t> contents = policy->contents();
                        std::set<std::uint32_t> held{contents.begin(), contents.end()};
                        policy->watchEvictions([&](std::uint32_t object) { QVERIFY2(held.erase(object) == 1, method.declaration.id.c_str()); });
                        for (std::size_t left = contents.size(); left > 0; --left) {
                            QVERIFY2(policy->evictOne(), method.declaration.id.c_str());
                            QVERIFY2(held.size() == left - 1 && policy->contents().size() == left - 1, method.declaration.id.c_str());
                        }
                        QVERIFY2(!policy->evictOne() && policy->occupied() == 0, method.declaration.id.c_str());
                        policy->watchEvictions({});
                    }
                }
        }
    }
    void nothingBeatsBelady()
    {
        for (const std::uint64_t capacity : {20U, 100U, 400U}) {
            const std::uint64_t best = hitsOf(m_unit, m_next, "cache.belady", capacity);
            for (const Method& method : methods())
                if (!method.bound && method.declaration.id != "cache.belady-size") // takes in nothing that never comes again: other rules of the game
                    QVERIFY2(hitsOf(m_unit, m_next, method.declaration.id, capacity) <= best, method.declaration.id.c_str());
        }
    }
    void seedsDecideAlone()
    {
        const auto hits = [&](const char* id, std::uint64_t seed) {
            const PolicyPtr policy = findMethod(id)->policy({100, seed}, {});
            return simulate(m_unit, {}, *policy, 0, {}).hits;
        };
        for (const char* id : {"cache.random", "cache.hyperbolic"}) {
            QCOMPARE(hits(id, 5), hits(id, 5));
            QVERIFY(hits(id, 5) != hits(id, 6));
        }
    }
    /// K = 1 is least recently used; the history's end turns an old friend into a stranger.
    void lruKParameters()
    {
        Parameters one;
        one.set("k", std::int64_t{1});
        for (const std::uint64_t capacity : {10U, 100U, 300U})
            QCOMPARE(hitsOf(m_unit, {}, "cache.lru-k", capacity, one), hitsOf(m_unit, {}, "cache.lru", capacity));
        Parameters shortMemory, correlated;
        shortMemory.set("retained", std::int64_t{1});
        correlated.set("correlated", std::int64_t{1'000'000});
        QVERIFY(hitsOf(m_unit, {}, "cache.lru-k", 100, shortMemory) != hitsOf(m_unit, {}, "cache.lru-k", 100));
        QVERIFY(hitsOf(m_unit, {}, "cache.lru-k", 100, correlated) != hitsOf(m_unit, {}, "cache.lru-k", 100));
    }
    /// Popular objects of the past give way to those of the present once counts fade.
    void halvedCountsForget()
    {
        Trace shift;
        ObjectNumbers numbers;
        std::uint64_t state = 1;
        for (std::size_t i = 0; i < 20000; ++i)
            shift.objects.push_back(numbers.of((i < 10000 ? 0 : 1000) + std::min(nextBits(state) % 200, nextBits(state) % 200)));
        shift.ids = numbers.takeIds();
        Parameters fading;
        fading.set("halve-every", std::int64_t{500});
        QVERIFY(hitsOf(shift, {}, "cache.lfu", 50, fading) > hitsOf(shift, {}, "cache.lfu", 50));
    }
};

QTEST_GUILESS_MAIN(TstCachePolicies)
#include "tst_cache_policies.moc"
