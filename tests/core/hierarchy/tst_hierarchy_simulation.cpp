// SPDX-License-Identifier: GPL-3.0-or-later
// Times and energy are what the counts say, by every formula; prefetch counters against a trace that was worked out by hand.
#include "core/base/error.h"
#include "core/cache/method.h"
#include "core/hierarchy/simulate.h"
#include "tests/core/cache/mixed_trace.h"
#include "tests/core/hierarchy/mid_run_stop.h"

#include <QTemporaryDir>
#include <QTest>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <new>

using namespace tamis;
using namespace tamis::hierarchy;

namespace {
std::atomic<std::size_t> largest = 0; ///< bytes that were asked for at once
} // namespace

void* operator new(std::size_t size)
{
    if (size > largest)
        largest = size;
    if (void* const place = std::malloc(std::max<std::size_t>(size, 1)))
        return place;
    throw std::bad_alloc();
}
void operator delete(void* place) noexcept { std::free(place); }
void operator delete(void* place, std::size_t) noexcept { std::free(place); }

namespace {
std::unique_ptr<LevelStack> stackOf(const std::vector<std::uint64_t>& capacities, Inclusion inclusion)
{
    std::vector<cache::PolicyPtr> policies;
    for (const std::uint64_t capacity : capacities)
        policies.push_back(cache::findMethod("cache.lru")->policy({capacity, 5}, {}));
    return std::make_unique<LevelStack>(std::move(policies), inclusion, WritePolicy::Back);
}

RequestStream streamOf(bool sized, bool writes)
{
    cache::Trace trace = mixedTrace(7, 6000, sized);
    RequestStream stream{.name = "mixed", .objects = trace.objects, .sizes = trace.sizes, .writes = {}, .ids = trace.ids};
    std::uint64_t state = 99;
    for (std::size_t i = 0; writes && i < stream.requests(); ++i)
        stream.writes.push_back(nextBits(state) % 3 == 0 ? 1 : 0);
    return stream;
}

report::HierarchyReport run(const RequestStream& stream, const std::unique_ptr<LevelStack>& stack, const SimulationSettings& settings)
{
    report::HierarchyReport report;
    simulate(stream, *stack, settings, report, {});
    return report;
}

/// Sums of 6000 terms: rounding of 1e-16 each, 1e-12 together at most.
bool same(double a, double b) { return std::abs(a - b) <= 1e-11 * std::max(std::abs(a), std::abs(b)); }
} // namespace

class TstHierarchySimulation : public QObject {
    Q_OBJECT
private slots:
    void identities()
    {
        for (const Inclusion inclusion : {Inclusion::Inclusive, Inclusion::Exclusive, Inclusion::NonInclusive})
            for (const bool sized : {false, true})
                for (const bool writes : {false, true})
                    for (const bool ahead : {false, true}) {
                        const RequestStream stream = streamOf(sized, writes);
                        const PrefetchTable table = neighbouringIds(stream.ids, 2, {});
                        SimulationSettings settings{.costs = {{1.5, 12.5, 100}, {100, 160, 20}, {33000, 2000, 3}}, .encodeNs = 200'000, .encodeWatt = 15, .objectBytes = 3072,
                                                    .prefetch = ahead ? &table : nullptr, .prefetchMissing = ahead && sized};
                        const std::uint64_t unit = sized ? 1 : 3072;
                        const auto report = run(stream, stackOf({(sized ? 300 : 20) * unit, (sized ? 1500 : 80) * unit, (sized ? 5000 : 200) * unit}, inclusion), settings);
                        QCOMPARE(report.requests, std::uint64_t{6000});
                        QCOMPARE(report.reads + report.writeRequests, report.requests);
                        QCOMPARE(report.writeRequests > 0, writes);
                        // AMAT, three ways.
                        QVERIFY(same(report.amat * 6000, report.totalNs));
                        QVERIFY(same(report.amat, report.amatNested));
                        QVERIFY(same(report.amat, report.amatClosed));
                        // Where it goes.
                        double spent = report.recomputeNs + report.waitedNs, energy = report.recomputePj;
                        std::uint64_t hits = 0;
                        for (const auto& level : report.levels) {
                            spent += level.spentNs;
                            energy += level.spentPj;
                            hits += level.hits;
                            QVERIFY(same(level.spentPj, level.energyPj * static_cast<double>(level.readBytes + level.fillBytes + level.movedDownBytes + level.writeBackBytes + level.storeBytes)));
                            QVERIFY(level.heldBytes <= (sized ? 5000U : 200U * 3072U));
                        }
                        QVERIFY(same(spent, report.totalNs));
                        QVERIFY(same(energy, report.totalPj));
                        QCOMPARE(hits + report.misses, report.reads);
                        QCOMPARE(report.levels[1].reads, report.reads - report.levels[0].hits);
                        QCOMPARE(report.writtenBytes, report.coalescedBytes + report.backingBytes);
                        if (!ahead) // no policy and no size of cache avoids first reads
                            QVERIFY(static_cast<double>(report.misses) >= report.compulsory * static_cast<double>(report.reads) - 0.5);
                        const auto& p = report.prefetch;
                        QCOMPARE(p.asked, p.redundant + p.absent + p.refused + p.issued);
                        QCOMPARE(p.issued, p.useful + p.unused);
                        QVERIFY(p.late <= p.useful && p.pollution <= p.issued);
                        QCOMPARE(p.issued > 100, ahead);
                        if (ahead) {
                            QVERIFY(same(p.accuracy * static_cast<double>(p.issued), static_cast<double>(p.useful)));
                            QVERIFY(p.useful > 0 && p.waitedNs > 0 && p.pollution > 0);
                        }
                        if (!ahead) { // at the break-even the whole costs what recomputing all does
                            settings.encodeNs = report.breakEvenNs;
                            const auto even = run(stream, stackOf({(sized ? 300 : 20) * unit, (sized ? 1500 : 80) * unit, (sized ? 5000 : 200) * unit}, inclusion), settings);
                            QVERIFY(same(even.speedUp, 1));
                        }
                    }
    }
    /// With look-ups that cost nothing a miss takes what recomputing takes: the formula of the speed-up is exact.
    void speedUpFormula()
    {
        const RequestStream stream = streamOf(false, false);
        const SimulationSettings settings{.costs = {{0, 1, 0.5}, {0, 1, 0.1}}, .encodeNs = 50, .encodeWatt = 1, .objectBytes = 1};
        const auto report = run(stream, stackOf({100, 400}, Inclusion::Inclusive), settings);
        QVERIFY(report.speedUp > 1.1);
        QVERIFY(same(report.speedUp, report.speedUpFormula));
        const double h1 = report.levels[0].hitRatio, h2 = report.levels[1].hitRatio;
        QVERIFY(same(report.amat, h1 * 2 + h2 * 10 + (1 - h1 - h2) * 50));
        QVERIFY(report.levels[0].pays && report.levels[1].pays);
        SimulationSettings cheap = settings;
        cheap.encodeNs = 5; // below the second level's 10 ns
        const auto slower = run(stream, stackOf({100, 400}, Inclusion::Inclusive), cheap);
        QVERIFY(slower.levels[0].pays && !slower.levels[1].pays);
    }
    /// Two levels of 2 and 10 objects. A hit takes 2 ns and 12 ns, a miss 111 ns.
    void prefetchByHand()
    {
        constexpr std::uint32_t a = 0, b = 1, c = 2, d = 3, none = cache::kNever;
        const RequestStream stream{.name = "hand", .objects = {a, b, c, b, a, c, b, d, b}, .sizes = {}, .writes = {}, .ids = {10, 20, 30, 40}};
        // 2: a comes back and pushes out b, which 3 misses: pollution. 3: a is there. 4: a was useful and in time; c is fetched, b goes.
        // 5: c is read 12 ns before it is there: it waits 10, as a read of its own takes 12 instead of 2; d is nowhere. 6: b is missed, but c was
        // wanted first; a is fetched, and 8 pushes it out unread.
        const PrefetchTable table{.each = 1, .byObject = false, .candidates = {none, none, a, a, c, d, a, none, none}};
        const SimulationSettings settings{.costs = {{1, 1, 1}, {10, 1, 1}}, .encodeNs = 100, .encodeWatt = 1, .objectBytes = 1, .prefetch = &table};
        const auto report = run(stream, stackOf({2, 10}, Inclusion::NonInclusive), settings);
        const auto& p = report.prefetch;
        QCOMPARE(p.asked, std::uint64_t{5});
        QCOMPARE(p.redundant, std::uint64_t{1});
        QCOMPARE(p.absent, std::uint64_t{1});
        QCOMPARE(p.refused, std::uint64_t{0});
        QCOMPARE(p.issued, std::uint64_t{3});
        QCOMPARE(p.useful, std::uint64_t{2});
        QCOMPARE(p.unused, std::uint64_t{1});
        QCOMPARE(p.late, std::uint64_t{1});
        QCOMPARE(p.pollution, std::uint64_t{1});
        QCOMPARE(p.waitedNs, 10.0);
        QCOMPARE(p.accuracy, 2.0 / 3);
        QCOMPARE(p.coverage, 2.0 / 9);
        QCOMPARE(p.lateness, 0.5);
        QCOMPARE(report.levels[0].hits, std::uint64_t{2});
        QCOMPARE(report.levels[1].hits, std::uint64_t{3});
        QCOMPARE(report.misses, std::uint64_t{4});
        QCOMPARE(report.totalNs, 494.0);
        // Into the first level: 7 demand fills, 3 prefetches. Out of the second: 3 hits, 3 prefetches.
        QCOMPARE(report.levels[0].fillBytes, std::uint64_t{10});
        QCOMPARE(report.levels[1].readBytes, std::uint64_t{6});
        SimulationSettings plain = settings;
        plain.prefetch = nullptr;
        QCOMPARE(run(stream, stackOf({2, 10}, Inclusion::NonInclusive), plain).prefetch.issued, std::uint64_t{0});
    }
    void neighbours()
    {
        const std::vector<std::uint64_t> ids{7, 5, 6, 9, 100};
        const PrefetchTable table = neighbouringIds(ids, 2, {});
        const auto at = [&](std::uint32_t object) { return std::vector<std::uint32_t>(table.at(77, object).begin(), table.at(77, object).end()); };
        QCOMPARE(at(1), (std::vector<std::uint32_t>{2, 0}));
        QCOMPARE(at(2), (std::vector<std::uint32_t>{0, cache::kNever}));
        QCOMPARE(at(0), (std::vector<std::uint32_t>{cache::kNever, 3}));
        QCOMPARE(at(4), (std::vector<std::uint32_t>{cache::kNever, cache::kNever}));
    }
    void loading()
    {
        QTemporaryDir directory;
        const std::filesystem::path file = directory.filePath("t.csv").toStdString();
        std::ofstream(file) << "time,id,size,op\n0,9,100,r\n1,8,50,w\n2,9,100,w\n";
        io::TraceOptions options;
        options.columns.operation = "op";
        const RequestStream stream = loadRequests(file, options, {});
        QCOMPARE(stream.objects, (std::vector<std::uint32_t>{0, 1, 0}));
        QCOMPARE(stream.sizes, (std::vector<std::uint32_t>{100, 50, 100}));
        QCOMPARE(stream.writes, (std::vector<std::uint8_t>{0, 1, 1}));
        QCOMPARE(stream.ids, (std::vector<std::uint64_t>{9, 8}));
        std::ofstream(file) << "time,id,size,op\n";
        QVERIFY_EXCEPTION_THROWN(loadRequests(file, options, {}), Error);
    }
    void stops()
    {
        RequestStream stream = streamOf(false, false);
        const std::vector<std::uint32_t> once = stream.objects;
        while (stream.requests() < 6'000'000)
            stream.objects.insert(stream.objects.end(), once.begin(), once.end());
        const auto stack = stackOf({10, 100}, Inclusion::Inclusive);
        test::verifyStopsMidRun(
            [&](const RunContext& context) {
                report::HierarchyReport report;
                simulate(stream, *stack, {.costs = {{1, 1, 1}, {1, 1, 1}}, .encodeNs = 1}, report, context);
            },
            0.2);
        QVERIFY(stack->traffic(0).evictions > 1000); // it was under way
        std::vector<std::uint64_t> ids(4'000'000);
        for (std::uint64_t state = 8; std::uint64_t& id : ids)
            id = nextBits(state);
        test::verifyStopsMidRun([&](const RunContext& context) { neighbouringIds(ids, 4, context); }, 0, std::chrono::milliseconds(150));
    }
    void memory()
    {
        const std::vector<std::uint64_t> ids(100'000);
        try {
            neighbouringIds(ids, 2'000'000'000, {});
            QFAIL("was taken");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::OutOfMemory);
        }
    }
    /// A loop over 50 objects, each of which is fetched one request ahead, every time: what is kept of that is as much as for 50 objects.
    void fetchesAreForgotten()
    {
        constexpr std::uint32_t kObjects = 50;
        RequestStream stream{.name = "loop", .objects = {}, .sizes = {}, .writes = {}, .ids = {}};
        PrefetchTable table{.each = 1, .byObject = true, .candidates = {}};
        for (std::uint32_t object = 0; object < kObjects; ++object) {
            stream.ids.push_back(object);
            table.candidates.push_back((object + 1) % kObjects);
        }
        for (std::uint32_t i = 0; i < 100'000; ++i)
            stream.objects.push_back(i % kObjects);
        const auto stack = stackOf({2, 100}, Inclusion::NonInclusive);
        report::HierarchyReport report;
        largest = 0;
        simulate(stream, *stack, {.costs = {{1, 1, 1}, {10, 1, 1}}, .encodeNs = 100, .prefetch = &table}, report, {});
        const std::size_t most = largest;
        QCOMPARE(report.prefetch.issued, std::uint64_t{100'000 - kObjects + 1}); // the first time round they are in no level
        QCOMPARE(report.prefetch.useful, std::uint64_t{100'000 - kObjects});
        QVERIFY2(most < 65536, std::to_string(most).c_str()); // a fetch is 24 bytes: all of them are two megabytes, and more while they grow
    }
    /// The first requests alone are what a stream of them is.
    void stretch()
    {
        RequestStream stream = streamOf(true, true);
        SimulationSettings settings{.costs = {{1, 1, 1}, {10, 1, 1}}, .encodeNs = 100, .encodeWatt = 1, .limit = 1000};
        const auto some = run(stream, stackOf({300, 2000}, Inclusion::Inclusive), settings);
        QVERIFY(!some.whole);
        stream.objects.resize(1000);
        settings.limit = 0;
        const auto cut = run(stream, stackOf({300, 2000}, Inclusion::Inclusive), settings);
        QVERIFY(cut.whole);
        QCOMPARE(some.totalNs, cut.totalNs);
        QCOMPARE(some.workingSet, cut.workingSet);
        QCOMPARE(some.backingBytes, cut.backingBytes);
    }
};

QTEST_APPLESS_MAIN(TstHierarchySimulation)
#include "tst_hierarchy_simulation.moc"
