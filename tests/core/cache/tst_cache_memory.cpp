// SPDX-License-Identifier: GPL-3.0-or-later
// What a policy says that its bookkeeping takes against what it has allocated: for objects that are known, and once it has run.
#include "core/cache/capacity_rules.h"
#include "core/cache/method.h"
#include "core/cache/simulate.h"
#include "tests/core/cache/mixed_trace.h"

#include <QTest>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<std::int64_t> allocated = 0; ///< bytes that live now
constexpr std::size_t kAhead = 16;       ///< in front of every block: its size

void* counted(std::size_t size) noexcept
{
    auto* block = static_cast<std::byte*>(std::malloc(size + kAhead));
    if (!block)
        return nullptr;
    *reinterpret_cast<std::size_t*>(block) = size;
    allocated += static_cast<std::int64_t>(size);
    return block + kAhead;
}
void forget(void* given) noexcept
{
    if (!given)
        return;
    auto* block = static_cast<std::byte*>(given) - kAhead;
    allocated -= static_cast<std::int64_t>(*reinterpret_cast<std::size_t*>(block));
    std::free(block);
}
} // namespace

// Of this program alone; what wants a larger alignment is not counted, and no policy does.
void* operator new(std::size_t size)
{
    if (void* block = counted(size))
        return block;
    throw std::bad_alloc();
}
void operator delete(void* block) noexcept { forget(block); }
void operator delete(void* block, std::size_t) noexcept { forget(block); }

using namespace tamis;
using namespace tamis::cache;

class TstCacheMemory : public QObject {
    Q_OBJECT
private slots:
    void asItIsAllocated_data()
    {
        QTest::addColumn<QString>("id");
        QTest::addColumn<bool>("weighted");
        for (const Method& method : methods())
            if (!method.bound)
                QTest::newRow(method.declaration.id.c_str()) << QString::fromStdString(method.declaration.id) << false;
        QTest::newRow("cache.gdsf with weights") << "cache.gdsf" << true;
        QTest::newRow("cache.hyperbolic with weights") << "cache.hyperbolic" << true;
    }
    void asItIsAllocated()
    {
        QFETCH(QString, id);
        QFETCH(bool, weighted);
        Trace trace = mixedTrace(3, 20'000, false);
        const std::vector<std::uint32_t> next = nextRequests(trace);
        for (std::size_t i = 0; weighted && i < trace.requests(); ++i)
            trace.uniqueness.push_back(0.5F);
        const Method& method = *findMethod(id.toStdString());
        const PolicyInputs inputs{300, 3, 1};
        const std::int64_t before = allocated;
        const PolicyPtr policy = method.policy(inputs, {});
        verify(*policy, allocated - before);
        constexpr std::size_t kFew = 20'000, kMany = 300'000;
        policy->know(kFew);
        const std::size_t fewSaid = policy->stateBytes();
        verify(*policy, allocated - before);
        simulate(trace, next, *policy, 0, {});
        verify(*policy, allocated - before);
        const std::int64_t run = allocated - before;
        const std::size_t runSaid = policy->stateBytes();
        policy->know(kMany); // vectors alone grow: to the byte
        QCOMPARE(static_cast<std::int64_t>(policy->stateBytes() - runSaid), allocated - before - run);
        QVERIFY(policy->stateBytes() - fewSaid >= (kMany - kFew) * sizeof(std::uint32_t)); // a place each, at least
        qInfo("%s: %.1f bytes a known object", qPrintable(id), static_cast<double>(policy->stateBytes()) / static_cast<double>(kMany));
    }
    /// The rules around it, too.
    void underRules()
    {
        const Trace trace = mixedTrace(3, 20'000, false);
        CapacityRules rules;
        rules.protectedShare = 0.3;
        rules.scene.signal = SceneSignal::NewObjects;
        const std::int64_t before = allocated;
        const PolicyPtr policy = ruledPolicy(*findMethod("cache.lru"), {300, 3}, {}, rules, {});
        simulate(trace, {}, *policy, 0, {});
        verify(*policy, allocated - before);
    }

private:
    /// All but what does not depend on objects or labels: the policy itself, its settings, small models, the last block of a queue.
    static void verify(const Policy& policy, std::int64_t taken)
    {
        constexpr std::int64_t kFixed = 20'000;
        const auto said = static_cast<std::int64_t>(policy.stateBytes());
        QVERIFY2(said <= taken && taken <= said + kFixed, qPrintable(QString("says %1, has allocated %2 bytes").arg(said).arg(taken)));
    }
};

QTEST_GUILESS_MAIN(TstCacheMemory)
#include "tst_cache_memory.moc"
