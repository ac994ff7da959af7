// SPDX-License-Identifier: GPL-3.0-or-later
// The searches against exhaustive enumeration on small instances, and their stated properties on larger random ones.
#include "core/plan/ladder.h"

#include <QElapsedTimer>
#include <QTest>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

using namespace tamis;
using namespace tamis::plan;

namespace {

// loss[0..p] of a random matrix: tails of squared singular values (convex), or any descending staircase (not convex).
std::vector<double> curve(std::mt19937_64& random, std::int64_t p, bool convex)
{
    std::vector<double> drops(static_cast<std::size_t>(p));
    const double scale = std::exp2(std::uniform_real_distribution<>(-6, 6)(random));
    for (auto& drop : drops)
        drop = scale * std::exp2(std::uniform_real_distribution<>(-8, 0)(random));
    if (convex)
        std::ranges::sort(drops, std::greater());
    std::vector<double> loss(drops.size() + 1, 0.0);
    for (std::size_t r = drops.size(); r-- > 0;)
        loss[r] = loss[r + 1] + drops[r];
    return loss;
}

std::vector<Ladder> instance(std::mt19937_64& random, std::size_t count, std::int64_t largest, bool convex, Accounting accounting,
                             std::int64_t alignment = 1)
{
    std::vector<Ladder> ladders;
    for (std::size_t i = 0; i < count; ++i) {
        std::uniform_int_distribution<std::int64_t> side(2, largest);
        const std::int64_t m = side(random), n = side(random);
        ladders.push_back(makeLadder(accounting, m, n, alignment, curve(random, std::min(m, n), convex)));
    }
    return ladders;
}

std::int64_t denseUnits(const std::vector<Ladder>& ladders)
{
    std::int64_t units = 0;
    for (const auto& ladder : ladders)
        units += ladder.denseUnits();
    return units;
}

double bruteForce(const std::vector<Ladder>& ladders, std::int64_t budget)
{
    Choice choice(ladders.size(), 0);
    double best = std::numeric_limits<double>::infinity();
    for (;;) {
        if (unitsOf(ladders, choice) <= budget)
            best = std::min(best, lossOf(ladders, choice));
        std::size_t i = 0;
        while (i < choice.size() && ++choice[i] == ladders[i].rungs.size())
            choice[i++] = 0;
        if (i == choice.size())
            return best;
    }
}

// Slope-ordered edges of every lower hull, built by the textbook quadratic rule (from each corner, the steepest chord).
struct Edge {
    double slope, gain;
    std::int64_t units;
};
std::vector<Edge> edges(const std::vector<Ladder>& ladders)
{
    std::vector<Edge> all;
    for (const auto& ladder : ladders)
        for (std::size_t at = 0; at + 1 < ladder.rungs.size();) {
            std::size_t best = at + 1;
            const auto slope = [&](std::size_t to) {
                return (ladder.rungs[at].loss - ladder.rungs[to].loss) / double(ladder.rungs[to].units - ladder.rungs[at].units);
            };
            for (std::size_t to = at + 2; to < ladder.rungs.size(); ++to)
                if (slope(to) > slope(best))
                    best = to;
            all.push_back({slope(best), ladder.rungs[at].loss - ladder.rungs[best].loss,
                           ladder.rungs[best].units - ladder.rungs[at].units});
            at = best;
        }
    std::ranges::sort(all, std::greater(), &Edge::slope);
    return all;
}

constexpr Accounting kAll[] = {Accounting::Factors, Accounting::BlockIdentity, Accounting::Remapped};
constexpr double kRounding = 1e-12; // sums of at most 2000 positive doubles: below 2000 eps relative
} // namespace

class TstLadder : public QObject
{
    Q_OBJECT
private slots:
    void rungsAreTheAlignedRanksBelowDense()
    {
        std::vector<double> loss(13);
        for (std::size_t r = 0; r < loss.size(); ++r)
            loss[r] = 12.0 - double(r);
        const Ladder ladder = makeLadder(Accounting::Factors, 12, 20, 2, loss); // break-even 7.5
        QCOMPARE(ladder.rungs.size(), std::size_t(4));
        for (std::size_t k = 0; k < 3; ++k) {
            QCOMPARE(ladder.rungs[k].rank, std::int64_t(2 * k + 2));
            QCOMPARE(ladder.rungs[k].units, std::int64_t((2 * k + 2) * 32));
            QCOMPARE(ladder.rungs[k].loss, 10.0 - 2.0 * double(k));
        }
        QCOMPARE(ladder.rungs[3].rank, std::int64_t(12));
        QCOMPARE(ladder.rungs[3].units, std::int64_t(240));
        QCOMPARE(ladder.rungs[3].loss, 0.0);
        QCOMPARE(makeLadder(Accounting::Factors, 12, 20, 8, loss).denseRung(), std::size_t(0));
        QCOMPARE(makeLadder(Accounting::BlockIdentity, 12, 20, 1, loss).rungs.size(), std::size_t(12));
    }
    void ranksThatLoseNoLessAreLeftOut()
    {
        const std::vector<double> loss = {9, 4, 4, 5, 1, -1e-18, 0};
        const Ladder ladder = makeLadder(Accounting::BlockIdentity, 6, 6, 1, loss);
        std::vector<std::int64_t> ranks;
        for (const auto& rung : ladder.rungs)
            ranks.push_back(rung.rank);
        QVERIFY((ranks == std::vector<std::int64_t>{1, 4, 5, 6}));
        QCOMPARE(ladder.rungs[2].loss, 0.0);
    }

    // Greedy against every combination: optimal at the corners of the joint hull, else within the loss that the one edge
    // which did not fit would have saved.
    void greedyAgainstExhaustiveSearch()
    {
        std::mt19937_64 random(1);
        int corners = 0, between = 0;
        for (int trial = 0; trial < 240; ++trial) {
            const bool convex = trial % 2 == 0;
            const auto ladders = instance(random, 3, 12, convex, kAll[trial % 3]);
            std::int64_t least = unitsOf(ladders, Choice(ladders.size(), 0));
            const auto order = edges(ladders);
            std::int64_t corner = least;
            for (const Edge& edge : order) { // budgets at and between the corners
                for (const std::int64_t budget : {corner, corner + edge.units / 2}) {
                    const Choice choice = chooseGreedy(ladders, budget, {});
                    const double optimum = bruteForce(ladders, budget), found = lossOf(ladders, choice);
                    QVERIFY(unitsOf(ladders, choice) <= budget);
                    const double slack = kRounding * (1 + lossOf(ladders, Choice(ladders.size(), 0)));
                    QVERIFY2(found >= optimum - slack, "better than the optimum: the enumeration is wrong");
                    if (budget == corner) {
                        QVERIFY2(found <= optimum + slack, "not optimal at a corner of the hull");
                        ++corners;
                    } else {
                        QVERIFY2(found <= optimum + edge.gain + slack, "more than one edge from the optimum");
                        ++between;
                    }
                }
                corner += edge.units;
            }
            QCOMPARE(lossOf(ladders, chooseGreedy(ladders, denseUnits(ladders), {})), 0.0);
        }
        QVERIFY(corners > 500 && between > 500);
    }

    void propertiesOnRandomModels_data()
    {
        QTest::addColumn<bool>("convex");
        QTest::addColumn<qint64>("alignment");
        for (const bool convex : {true, false})
            for (const qint64 alignment : {1, 4})
                QTest::addRow("%s, multiples of %lld", convex ? "convex" : "any", alignment) << convex << alignment;
    }
    void propertiesOnRandomModels()
    {
        QFETCH(bool, convex);
        QFETCH(qint64, alignment);
        std::mt19937_64 random(alignment * 2 + convex);
        for (int trial = 0; trial < 60; ++trial) {
            const auto ladders = instance(random, 12, 48, convex, kAll[trial % 3], alignment);
            const std::int64_t least = unitsOf(ladders, Choice(ladders.size(), 0)), most = denseUnits(ladders);
            double previousGreedy = std::numeric_limits<double>::infinity(), previousUniform = previousGreedy;
            Choice previousEnergy(ladders.size(), 0);
            for (int step = 0; step <= 40; ++step) {
                const std::int64_t budget = least + (most - least) * step / 40;
                const Choice greedy = chooseGreedy(ladders, budget, {}), uniform = chooseUniform(ladders, budget, {}),
                             energy = chooseEnergy(ladders, budget, {});
                for (const Choice* choice : {&greedy, &uniform, &energy})
                    QVERIFY(unitsOf(ladders, *choice) <= budget);
                const double lost = lossOf(ladders, greedy), even = lossOf(ladders, uniform);
                QVERIFY2(lost <= even * (1 + kRounding), "greedy loses more than uniform");
                QVERIFY2(lost <= previousGreedy * (1 + kRounding), "more budget, more loss (greedy)");
                QVERIFY2(even <= previousUniform * (1 + kRounding), "more budget, more loss (uniform)");
                for (std::size_t i = 0; i < ladders.size(); ++i)
                    QVERIFY2(energy[i] >= previousEnergy[i], "more budget, a lower rank (energy)");
                previousGreedy = lost;
                previousUniform = even;
                previousEnergy = energy;
            }
        }
    }

    // Equal relative loss: no ladder loses more than another would lose one rung lower.
    void energyEvensOutTheRelativeLoss()
    {
        std::mt19937_64 random(5);
        for (int trial = 0; trial < 200; ++trial) {
            const auto ladders = instance(random, 10, 40, trial % 2 == 0, kAll[trial % 3], 1 + trial % 4);
            const std::int64_t least = unitsOf(ladders, Choice(ladders.size(), 0)), most = denseUnits(ladders);
            const Choice choice = chooseEnergy(ladders, least + (most - least) * (trial % 19 + 1) / 20, {});
            double largest = 0, smallestLower = std::numeric_limits<double>::infinity();
            for (std::size_t i = 0; i < ladders.size(); ++i) {
                const auto relative = [&](std::size_t rung) { return ladders[i].rungs[rung].loss / ladders[i].energy; };
                largest = std::max(largest, relative(choice[i]));
                if (choice[i] > 0)
                    smallestLower = std::min(smallestLower, relative(choice[i] - 1));
            }
            QVERIFY(largest <= smallestLower);
        }
    }
    void uniformGivesEveryLadderTheSameKeep()
    {
        std::mt19937_64 random(6);
        for (int trial = 0; trial < 100; ++trial) {
            const auto ladders = instance(random, 8, 60, true, kAll[trial % 3]);
            const std::int64_t most = denseUnits(ladders), budget = most * (trial % 50 + 30) / 100;
            const Choice choice = chooseUniform(ladders, budget, {});
            const double keep = double(budget) / double(most);
            bool plain = true; // no matrix had to take more than its share
            for (const auto& ladder : ladders)
                plain = plain && double(ladder.rungs[0].units) <= keep * double(ladder.denseUnits());
            if (!plain)
                continue;
            for (std::size_t i = 0; i < ladders.size(); ++i) {
                const double share = keep * double(ladders[i].denseUnits()) * (1 + 1e-14);
                QVERIFY(double(ladders[i].rungs[choice[i]].units) <= share);
                QVERIFY(double(ladders[i].rungs[choice[i] + 1].units) > share * (1 - 2e-14));
            }
        }
    }

    // Not timed: most of the way is found by bisection, so that few of the hundreds of thousands of steps are walked.
    void aLargeModelTakesFewSteps()
    {
        std::vector<Ladder> ladders;
        for (int i = 0; i < 224; ++i) {
            std::vector<double> loss(4097, 0.0);
            for (std::size_t r = 4096; r-- > 0;)
                loss[r] = loss[r + 1] + (1 + i % 7) * std::pow(double(r + 1), -1.0 - 0.01 * i);
            ladders.push_back(makeLadder(Accounting::BlockIdentity, 4096, i % 3 ? 4096 : 11008, 1, loss));
        }
        std::uint64_t steps = 0;
        QElapsedTimer timer;
        timer.start();
        const Choice choice = chooseGreedy(ladders, denseUnits(ladders) / 2, {}, &steps);
        qInfo("224 ladders of 4096 rungs: %.1f ms, %llu steps walked", double(timer.nsecsElapsed()) / 1e6,
              static_cast<unsigned long long>(steps));
        const std::int64_t left = denseUnits(ladders) / 2 - unitsOf(ladders, choice);
        QVERIFY2(left >= 0 && left < 4096 + 11008, "a whole rank more would have fitted");
        QVERIFY2(steps < 4 * ladders.size(), "the threshold did not get near");
    }
};

QTEST_GUILESS_MAIN(TstLadder)
#include "tst_ladder.moc"
