// SPDX-License-Identifier: GPL-3.0-or-later
// Levels of caches against plain Python twins (tests/golden/make_hierarchy_golden.py), and what must hold of any policies: inclusion, exclusion, one
// cache of the summed capacity, and that what was written is somewhere.
#include "core/base/error.h"
#include "core/cache/method.h"
#include "core/hierarchy/level_stack.h"
#include "tests/core/cache/mixed_trace.h"

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTest>

using namespace tamis;
using namespace tamis::hierarchy;

namespace {
std::vector<cache::PolicyPtr> policies(const std::vector<std::uint64_t>& capacities, const std::vector<std::string>& ids = {})
{
    std::vector<cache::PolicyPtr> made;
    for (std::size_t i = 0; i < capacities.size(); ++i)
        made.push_back(cache::findMethod(ids.empty() ? "cache.lru" : ids[i])->policy({capacities[i], 5}, {}));
    return made;
}

Inclusion inclusionNamed(const QString& name) { return name == "inclusive" ? Inclusion::Inclusive : name == "exclusive" ? Inclusion::Exclusive : Inclusion::NonInclusive; }
constexpr std::array<Inclusion, 3> kInclusions{Inclusion::Inclusive, Inclusion::Exclusive, Inclusion::NonInclusive};

/// Calls step(stack, hits) after every request; every third of a generator's draws is a write.
template <class Step> std::vector<std::uint64_t> play(LevelStack& stack, const cache::Trace& trace, bool writes, Step&& step)
{
    std::vector<std::uint64_t> hits(stack.levels() + 1);
    std::uint64_t state = 99;
    stack.know(trace.ids.size());
    for (std::size_t i = 0; i < trace.requests(); ++i) {
        const std::uint32_t object = trace.objects[i], size = trace.sized() ? trace.sizes[i] : 1;
        if (nextBits(state) % 3 == 0 && writes) {
            stack.write(object, size);
        } else {
            const int at = stack.read(object, size);
            ++hits[at == LevelStack::kNowhere ? stack.levels() : static_cast<std::size_t>(at)];
        }
        step(i);
    }
    return hits;
}
} // namespace

class TstLevelStack : public QObject {
    Q_OBJECT
    cache::Trace m_unit = mixedTrace(7, 6000, false), m_sized = mixedTrace(7, 6000, true);

private slots:
    void plainTwins()
    {
        QFile file(TAMIS_SOURCE_DIR "/tests/golden/hierarchy_golden.json");
        QVERIFY(file.open(QIODevice::ReadOnly));
        const QJsonArray runs = QJsonDocument::fromJson(file.readAll()).array();
        QVERIFY(runs.size() >= 40);
        for (const auto& value : runs) {
            const QJsonObject run = value.toObject();
            std::vector<std::uint64_t> capacities;
            for (const auto& each : run["capacities"].toArray())
                capacities.push_back(static_cast<std::uint64_t>(each.toInteger()));
            const auto about = QString::fromUtf8(QJsonDocument(run).toJson(QJsonDocument::Compact)).left(140).toUtf8();
            LevelStack stack(policies(capacities), inclusionNamed(run["inclusion"].toString()), run["through"].toBool() ? WritePolicy::Through : WritePolicy::Back);
            const auto hits = play(stack, run["sized"].toBool() ? m_sized : m_unit, run["writes"].toBool(), [](std::size_t) {});
            stack.flush();
            for (std::size_t i = 0; i < hits.size(); ++i)
                QVERIFY2(hits[i] == static_cast<std::uint64_t>(run["hits"][static_cast<int>(i)].toInteger()), about);
            for (std::size_t i = 0; i < capacities.size(); ++i) {
                const LevelTraffic& is = stack.traffic(i);
                const QJsonObject level = run["levels"][static_cast<int>(i)].toObject();
                const auto same = [&](const char* key, std::uint64_t found) {
                    QVERIFY2(found == static_cast<std::uint64_t>(level[key].toInteger()), (about + ": level " + QByteArray::number(qulonglong(i)) + " " + key).constData());
                };
                same("read", is.readBytes);
                same("fill", is.fillBytes);
                same("down", is.movedDownBytes);
                same("writeback", is.writeBackBytes);
                same("store", is.storeBytes);
                same("evictions", is.evictions);
                same("dirty", is.dirtyEvictions);
                same("invalidations", is.invalidations);
            }
            const WriteTraffic& writes = stack.writeTraffic();
            QVERIFY2(writes.writtenBytes == static_cast<std::uint64_t>(run["written"].toInteger()), about);
            QVERIFY2(writes.coalescedBytes == static_cast<std::uint64_t>(run["coalesced"].toInteger()), about);
            QVERIFY2(writes.backingBytes == static_cast<std::uint64_t>(run["backing"].toInteger()), about);
            QVERIFY2(writes.flushBytes == static_cast<std::uint64_t>(run["flushed"].toInteger()), about);
        }
    }
    /// Two levels of two objects. a is written, b read, a again (in the first level alone), then c: the second level lets a go, and what was written of
    /// it is in the first. It is read there, once, and goes behind the last level.
    void whatWasWrittenIsReadWhereItIs()
    {
        constexpr std::uint32_t a = 0, b = 1, c = 2;
        LevelStack stack(policies({20, 20}), Inclusion::Inclusive, WritePolicy::Back);
        stack.know(3);
        stack.write(a, 10);
        stack.read(b, 10);
        QCOMPARE(stack.read(a, 10), 0);
        QCOMPARE(stack.read(c, 10), LevelStack::kNowhere);
        QVERIFY(!stack.holds(0, a) && !stack.holds(1, a) && stack.holds(0, c));
        QCOMPARE(stack.writeTraffic().backingBytes, std::uint64_t{10});
        QCOMPARE(stack.traffic(0).readBytes, std::uint64_t{20}); // the hit, and what was written
        QCOMPARE(stack.traffic(1).readBytes, std::uint64_t{0});
        QCOMPARE(stack.traffic(1).dirtyEvictions, std::uint64_t{1});
    }
    void memory()
    {
        LevelStack stack(policies({20, 20}), Inclusion::Inclusive, WritePolicy::Back);
        for (const std::size_t objects : {std::size_t{1} << 48U, SIZE_MAX})
            try {
                stack.know(objects);
                QFAIL("was taken");
            } catch (const Error& error) {
                QCOMPARE(error.code(), ErrorCode::OutOfMemory);
            }
    }
    /// Any policies that can give up objects, sizes, writes: after every request.
    void whatLevelsHold()
    {
        const std::vector<std::string> ids{"cache.lru", "cache.fifo", "cache.clock", "cache.sieve", "cache.slru", "cache.lfu", "cache.lru-k", "cache.gdsf", "cache.random", "cache.mru"};
        for (std::size_t turn = 0; turn < ids.size(); ++turn)
            for (const Inclusion inclusion : kInclusions) {
                const std::vector<std::uint64_t> capacities{400, 1500, 4000};
                LevelStack stack(policies(capacities, {ids[turn], ids[(turn + 3) % ids.size()], ids[(turn + 7) % ids.size()]}), inclusion, WritePolicy::Back);
                bool holds = true;
                std::uint64_t evicted = 0;
                play(stack, m_sized, true, [&](std::size_t i) {
                    if (i % 13 != 0)
                        return;
                    for (std::uint32_t object = 0; object < m_sized.ids.size(); ++object) {
                        const bool a = stack.holds(0, object), b = stack.holds(1, object), c = stack.holds(2, object);
                        holds = holds && (inclusion != Inclusion::Inclusive || ((!a || b) && (!b || c))) && (inclusion != Inclusion::Exclusive || a + b + c <= 1);
                    }
                    for (std::size_t level = 0; level < 3; ++level) { // what the policy holds is what the level says
                        const auto contents = stack.policy(level).contents();
                        std::uint64_t bytes = 0, count = 0;
                        for (std::uint32_t object = 0; object < m_sized.ids.size(); ++object)
                            if (stack.holds(level, object)) {
                                bytes += stack.sizeHeld(level, object);
                                ++count;
                            }
                        holds = holds && bytes == stack.policy(level).occupied() && bytes <= capacities[level] && count == contents.size();
                    }
                    const WriteTraffic& writes = stack.writeTraffic();
                    holds = holds && writes.writtenBytes == writes.coalescedBytes + writes.backingBytes + stack.dirtyBytes();
                });
                for (std::size_t level = 0; level < 3; ++level)
                    evicted += stack.traffic(level).evictions;
                stack.flush();
                const auto about = ids[turn] + " " + std::to_string(static_cast<int>(inclusion));
                QVERIFY2(holds, about.c_str());
                QVERIFY2(evicted > 1000 && stack.writeTraffic().flushBytes > 0, about.c_str());
                QCOMPARE(stack.dirtyBytes(), std::uint64_t{0});
                QCOMPARE(stack.writeTraffic().writtenBytes, stack.writeTraffic().coalescedBytes + stack.writeTraffic().backingBytes);
            }
    }
    /// Policies that cannot give up objects serve levels where nothing is enforced.
    void otherPoliciesInNonInclusiveLevels()
    {
        for (const char* id : {"cache.arc", "cache.lirs", "cache.w-tinylfu", "cache.s3-fifo", "cache.two-q", "cache.hyperbolic"}) {
            if (cache::findMethod(id)->policy({10, 1}, {})->canErase())
                continue;
            QVERIFY_EXCEPTION_THROWN(LevelStack(policies({10}, {id}), Inclusion::Inclusive, WritePolicy::Back), Error);
            QVERIFY_EXCEPTION_THROWN(LevelStack(policies({10}, {id}), Inclusion::Exclusive, WritePolicy::Back), Error);
            for (const bool sized : {false, true}) {
                LevelStack stack(policies(sized ? std::vector<std::uint64_t>{900, 4000} : std::vector<std::uint64_t>{40, 200}, {id, id}), Inclusion::NonInclusive, WritePolicy::Back);
                bool holds = true;
                const cache::Trace& trace = sized ? m_sized : m_unit;
                play(stack, trace, true, [&](std::size_t i) {
                    if (i % 31 != 0)
                        return;
                    for (std::size_t level = 0; level < 2; ++level) {
                        std::uint64_t bytes = 0;
                        for (std::uint32_t object = 0; object < trace.ids.size(); ++object)
                            bytes += stack.holds(level, object) ? stack.sizeHeld(level, object) : 0;
                        holds = holds && bytes == stack.policy(level).occupied();
                    }
                    holds = holds && stack.writeTraffic().writtenBytes == stack.writeTraffic().coalescedBytes + stack.writeTraffic().backingBytes + stack.dirtyBytes();
                });
                QVERIFY2(holds, id);
            }
        }
        QVERIFY_EXCEPTION_THROWN(LevelStack({}, Inclusion::Inclusive, WritePolicy::Back), Error);
    }
    /// Objects of one size: exclusive least-recently-used levels are one such cache of the sum; inclusive ones hit as often as the largest does alone
    /// where only misses above reach it.
    void exclusiveLevelsAreOneCache()
    {
        for (const std::vector<std::uint64_t>& capacities : {std::vector<std::uint64_t>{10, 30, 60}, {1, 1, 98}, {50, 50}, {99, 1}}) {
            LevelStack stack(policies(capacities), Inclusion::Exclusive, WritePolicy::Back), one(policies({100}), Inclusion::NonInclusive, WritePolicy::Back);
            const auto hits = play(stack, m_unit, false, [](std::size_t) {}), whole = play(one, m_unit, false, [](std::size_t) {});
            QCOMPARE(hits.back(), whole.back());
            QVERIFY(whole[0] > 500);
        }
        LevelStack first(policies({20, 100}), Inclusion::NonInclusive, WritePolicy::Back), alone(policies({20}), Inclusion::NonInclusive, WritePolicy::Back);
        QCOMPARE(play(first, m_unit, false, [](std::size_t) {})[0], play(alone, m_unit, false, [](std::size_t) {})[0]);
    }
    void writeThroughLeavesNothingDirty()
    {
        for (const Inclusion inclusion : kInclusions) {
            LevelStack stack(policies({300, 1500}), inclusion, WritePolicy::Through);
            bool clean = true;
            play(stack, m_sized, true, [&](std::size_t i) { clean = clean && (i % 50 != 0 || stack.dirtyBytes() == 0); });
            QVERIFY(clean);
            QVERIFY(stack.writeTraffic().writtenBytes > 0);
            QCOMPARE(stack.writeTraffic().backingBytes, stack.writeTraffic().writtenBytes);
            QCOMPARE(stack.traffic(0).dirtyEvictions + stack.traffic(1).dirtyEvictions, std::uint64_t{0});
        }
    }
};

QTEST_APPLESS_MAIN(TstLevelStack)
#include "tst_level_stack.moc"
