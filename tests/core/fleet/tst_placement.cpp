// SPDX-License-Identifier: GPL-3.0-or-later
// Where keys are held, against plain Python twins (tests/golden/make_fleet_golden.py) and against looking at every point; what leaves moves alone; the
// spread that theory says.
#include "core/base/split_mix.h"
#include "core/fleet/hot_keys.h"
#include "core/fleet/placement.h"

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTest>

#include <array>
#include <cmath>
#include <numeric>
#include <set>

using namespace tamis;
using namespace tamis::fleet;

namespace {
std::vector<std::uint32_t> listOf(const QJsonArray& array)
{
    std::vector<std::uint32_t> list;
    for (const auto& value : array)
        list.push_back(static_cast<std::uint32_t>(value.toInt()));
    return list;
}
std::vector<std::uint32_t> numbered(std::uint32_t count)
{
    std::vector<std::uint32_t> all(count);
    std::iota(all.begin(), all.end(), 0U);
    return all;
}
} // namespace

class TstPlacement : public QObject {
    Q_OBJECT

private slots:
    void plainTwins()
    {
        QFile file(TAMIS_SOURCE_DIR "/tests/golden/fleet_golden.json");
        QVERIFY(file.open(QIODevice::ReadOnly));
        const QJsonObject golden = QJsonDocument::fromJson(file.readAll()).object()["placement"].toObject();
        const auto devices = listOf(golden["devices"].toArray());
        const auto seed = static_cast<std::uint64_t>(golden["seed"].toInt());
        const Placement ring(Rule::Ring, devices, golden["virtualNodes"].toInt(), seed), rendezvous(Rule::Rendezvous, devices, 1, seed);
        const QJsonArray keys = golden["keys"].toArray();
        QVERIFY(keys.size() > 50);
        for (qsizetype i = 0; i < keys.size(); ++i) {
            const std::uint64_t key = keys[i].toString().toULongLong();
            std::vector<std::uint32_t> three(3);
            QCOMPARE(ring.holders(key, three), std::size_t{3});
            QVERIFY(three == listOf(golden["ring"].toArray()[i].toArray()));
            QCOMPARE(rendezvous.holders(key, three), std::size_t{3});
            QVERIFY(three == listOf(golden["rendezvous"].toArray()[i].toArray()));
        }
    }
    /// The next point clockwise, by looking at all of them.
    void ringLooksUpAsItShould()
    {
        const auto devices = numbered(9);
        const Placement ring(Rule::Ring, devices, 20, 11);
        for (std::uint64_t key = 0; key < 5000; ++key) {
            std::uint64_t nearest = ~std::uint64_t{0};
            std::uint32_t holder = 0;
            for (const std::uint32_t device : devices)
                for (std::uint32_t node = 0; node < 20; ++node)
                    if (const std::uint64_t distance = devicePoint(device, node, 11) - keyPoint(key, 11); distance < nearest) {
                        nearest = distance;
                        holder = device;
                    }
            QCOMPARE(ring.first(key), holder);
        }
    }
    void holdersDiffer()
    {
        for (const Rule rule : {Rule::Ring, Rule::Rendezvous, Rule::Modulo}) {
            const Placement placement(rule, {2, 3, 5, 7}, 8, 1);
            for (std::uint64_t key = 0; key < 500; ++key) {
                std::array<std::uint32_t, 6> holders{};
                QCOMPARE(placement.holders(key, holders), std::size_t{4}); // more are asked for than there are
                QVERIFY((std::set<std::uint32_t>(holders.begin(), holders.begin() + 4) == std::set<std::uint32_t>{2, 3, 5, 7}));
                QCOMPARE(placement.first(key), holders[0]);
            }
        }
    }
    /// Ring and rendezvous: only keys of who leaves move, and they go to who was next; joining takes keys and moves no other. Modulo: nearly all.
    void leavingMovesItsOwn()
    {
        constexpr std::uint64_t kKeys = 20'000;
        for (const Rule rule : {Rule::Ring, Rule::Rendezvous, Rule::Modulo}) {
            const Placement before(rule, numbered(10), 100, 5), after(rule, {0, 1, 2, 4, 5, 6, 7, 8, 9}, 100, 5), joined(rule, numbered(11), 100, 5);
            std::uint64_t moved = 0, itsOwn = 0, taken = 0;
            for (std::uint64_t key = 0; key < kKeys; ++key) {
                std::array<std::uint32_t, 2> holders{};
                before.holders(key, holders);
                itsOwn += holders[0] == 3 ? 1U : 0U;
                moved += holders[0] != after.first(key) ? 1U : 0U;
                taken += holders[0] != joined.first(key) ? 1U : 0U;
                if (rule != Rule::Modulo) {
                    QCOMPARE(after.first(key), holders[0] == 3 ? holders[1] : holders[0]);
                    QVERIFY(joined.first(key) == holders[0] || joined.first(key) == 10);
                }
            }
            if (rule == Rule::Modulo) {
                QVERIFY(std::fabs(static_cast<double>(moved) / kKeys - 0.9) < 0.02); // a key stays with probability 1/10; 0.02: 9 deviations of 20,000 draws
                QVERIFY(std::fabs(static_cast<double>(taken) / kKeys - 10.0 / 11) < 0.02);
            } else {
                QCOMPARE(moved, itsOwn);
                // A share of 1/10 and 1/11: the ring's arcs deviate by a tenth of it, drawing keys by less; five deviations.
                QVERIFY(std::fabs(static_cast<double>(moved) / kKeys - 0.1) < 0.05);
                QVERIFY(std::fabs(static_cast<double>(taken) / kKeys - 1.0 / 11) < 0.05);
            }
        }
    }
    /// Mean relative variance over 300 rings against (n - 1) / (n v + 1) and what drawing keys adds: its own deviation, estimated from the rings, four times.
    void spreadIsAsTheorySays_data()
    {
        QTest::addColumn<int>("devices");
        QTest::addColumn<int>("nodes");
        for (const int devices : {2, 5, 16})
            for (const int nodes : {1, 8, 64})
                QTest::addRow("%d devices, %d nodes", devices, nodes) << devices << nodes;
    }
    void spreadIsAsTheorySays()
    {
        QFETCH(int, devices);
        QFETCH(int, nodes);
        constexpr std::size_t kRings = 300, kKeys = 1000;
        double sum = 0, squares = 0;
        for (std::uint64_t seed = 0; seed < kRings; ++seed) {
            const Placement ring(Rule::Ring, numbered(static_cast<std::uint32_t>(devices)), nodes, seed);
            std::vector<std::uint64_t> counts(static_cast<std::size_t>(devices));
            for (std::uint64_t key = 0; key < kKeys; ++key)
                ++counts[ring.first(key)];
            const double variance = spreadOf(counts) * spreadOf(counts);
            sum += variance;
            squares += variance * variance;
        }
        const double mean = sum / kRings, deviation = std::sqrt((squares / kRings - mean * mean) / kRings), expected = expectedSpread(static_cast<std::size_t>(devices), nodes, kKeys);
        QVERIFY2(std::fabs(mean - expected * expected) < 4 * deviation, qPrintable(QString("%1 +- %2, expected %3").arg(mean).arg(deviation).arg(expected * expected)));
    }
    void spreadFallsWithTheRootOfNodes()
    {
        QVERIFY(std::fabs(expectedSpread(1000, 100, 1'000'000'000) - 0.1) < 0.001); // 1 / sqrt(v) for many devices
        QCOMPARE(spreadOf(std::vector<std::uint64_t>{5, 5, 5}), 0.0);
        QCOMPARE(spreadOf(std::vector<std::uint64_t>{0, 10}), 1.0);
    }
    void hotKeysHeatAndCool()
    {
        HotKeys hot(2, 0.5, 10); // 5 of 10
        std::vector<bool> states;
        for (int i = 0; i < 10; ++i) // every second request is of object 0
            if (const bool is = hot.request(static_cast<std::uint32_t>(i % 2)); i % 2 == 0)
                states.push_back(is);
        QCOMPARE(states, (std::vector<bool>{false, false, false, false, true}));
        QCOMPARE(hot.firstHot()[0], 8U);
        for (int i = 0; i < 9; ++i)
            hot.request(1);
        QVERIFY(hot.request(0));  // the stretch behind: still
        QVERIFY(!hot.request(0)); // the next: no longer
        HotKeys none(1, 0, 10);
        for (int i = 0; i < 30; ++i)
            QVERIFY(!none.request(0));
    }
};

QTEST_GUILESS_MAIN(TstPlacement)
#include "tst_placement.moc"
