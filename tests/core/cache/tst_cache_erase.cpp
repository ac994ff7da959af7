// SPDX-License-Identifier: GPL-3.0-or-later
// Objects that are taken out of a policy: it holds what a plain set holds, that requests fill and evictions and erasures empty.
#include "core/cache/method.h"
#include "tests/core/cache/mixed_trace.h"

#include <QTest>

#include <algorithm>
#include <set>

using namespace tamis;
using namespace tamis::cache;

class TstCacheErase : public QObject {
    Q_OBJECT
private slots:
    void whatIsErasedIsGone_data()
    {
        QTest::addColumn<QString>("id");
        QTest::addColumn<bool>("sized");
        for (const Method& method : methods())
            if (!method.bound && method.policy({10, 1}, {})->canErase())
                for (const bool sized : {false, true})
                    QTest::addRow("%s %s", method.declaration.id.c_str(), sized ? "sized" : "unit") << QString::fromStdString(method.declaration.id) << sized;
    }
    void whatIsErasedIsGone()
    {
        QFETCH(QString, id);
        QFETCH(bool, sized);
        const Trace trace = mixedTrace(11, 5000, sized);
        const std::uint64_t capacity = sized ? 3000 : 100;
        Parameters parameters;
        if (id == "cache.lru-k")
            parameters.set("correlated", std::int64_t{5});
        const PolicyPtr policy = findMethod(id.toStdString())->policy({capacity, 3, sized ? 32.0 : 1.0}, parameters);
        policy->know(trace.ids.size());
        std::set<std::uint32_t> held;
        std::vector<std::uint32_t> sizes(trace.ids.size());
        policy->watchEvictions([&](std::uint32_t object) { QCOMPARE(held.erase(object), std::size_t{1}); });
        const std::vector<std::uint32_t> next = nextRequests(trace);
        const auto kept = [&](std::size_t i) { return id != "cache.belady-size" || next[i] != kNever; }; // it keeps nothing that never comes again
        std::uint64_t state = 5, erased = 0, bytes = 0;
        for (std::size_t i = 0; i < trace.requests(); ++i) {
            const std::uint32_t object = trace.objects[i], size = sized ? trace.sizes[i] : 1;
            const bool there = held.contains(object); // before it is told to have left with its last request
            QCOMPARE(policy->request({object, size, next[i]}), there);
            if (kept(i))
                held.insert(object);
            sizes[object] = size;
            if (nextBits(state) % 3 == 0) { // any that is held, or one that may not be
                const auto victim = static_cast<std::uint32_t>(nextBits(state) % trace.ids.size());
                const bool was = held.erase(victim) > 0;
                QCOMPARE(policy->erase(victim), was);
                erased += was ? 1U : 0U;
            }
            if (i % 97 == 0) {
                std::vector<std::uint32_t> contents = policy->contents();
                std::ranges::sort(contents);
                QVERIFY(std::ranges::equal(contents, held));
                bytes = 0;
                for (const std::uint32_t each : held)
                    bytes += sizes[each];
                QCOMPARE(policy->occupied(), bytes);
                QVERIFY(bytes <= capacity);
            }
        }
        QVERIFY(erased > 50);
        for (const std::uint32_t object : std::set(held))
            QVERIFY(policy->erase(object));
        QCOMPARE(policy->occupied(), std::uint64_t{0});
        QVERIFY(policy->contents().empty());
    }
    void someCan()
    {
        for (const char* id : {"cache.lru", "cache.mru", "cache.fifo", "cache.clock", "cache.sieve", "cache.slru", "cache.lfu", "cache.lru-k", "cache.adaptive-lru-k", "cache.gdsf", "cache.hyperbolic", "cache.random"})
            QVERIFY2(findMethod(id)->policy({10, 1}, {})->canErase(), id);
    }
};

QTEST_APPLESS_MAIN(TstCacheErase)
#include "tst_cache_erase.moc"
