// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/exit_rule.h"

#include "core/base/error.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <random>

using namespace tamis;
using namespace tamis::tokens;

namespace {
/// Photos that grow surer, and righter where they are sure, from exit to exit.
ExitTable drawn(std::int64_t photos, std::int64_t exits, unsigned seed)
{
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> uniform(0, 1);
    ExitTable table{tensor::Matrix<float>(photos, exits), tensor::Matrix<std::uint8_t>(photos, exits)};
    for (std::int64_t photo = 0; photo < photos; ++photo) {
        const float ease = uniform(random);
        for (std::int64_t exit = 0; exit < exits; ++exit) {
            table.confidence(photo, exit) = std::clamp(ease * 0.6f + 0.1f * static_cast<float>(exit) + 0.3f * uniform(random), 0.0f, 1.0f);
            table.agrees(photo, exit) = uniform(random) < 0.4f + 0.6f * table.confidence(photo, exit) ? 1 : 0;
        }
    }
    return table;
}

/// Of every combination the cheapest that meets the target.
ExitOutcome bruteForce(const ExitTable& table, const std::vector<double>& costs, double target, const std::vector<std::vector<double>>& candidates)
{
    std::vector<std::size_t> at(candidates.size());
    ExitOutcome best;
    best.cost = kNever;
    for (;;) {
        std::vector<double> thresholds;
        for (std::size_t exit = 0; exit < at.size(); ++exit)
            thresholds.push_back(candidates[exit][at[exit]]);
        const ExitOutcome outcome = outcomeOf(table, thresholds, costs);
        if (outcome.agreement >= target - 1e-12 && (outcome.cost < best.cost - 1e-9 || (outcome.cost < best.cost + 1e-9 && outcome.agreement > best.agreement)))
            best = outcome;
        std::size_t exit = 0;
        while (exit < at.size() && ++at[exit] == candidates[exit].size())
            at[exit++] = 0;
        if (exit == at.size())
            return best;
    }
}
} // namespace

class TestExitRule : public QObject {
    Q_OBJECT
private slots:
    /// By hand: softmax(ln 6, ln 3, ln 1) = 0.6, 0.3, 0.1, entropy 0.89794573 nats of ln 3 = 1.09861229.
    void confidencesByHand()
    {
        const std::vector<float> logits{std::log(6.0f), std::log(3.0f), 0.0f}, even(5, 3.0f), one{7.0f}, sharp{0.0f, 200.0f, 0.0f};
        QVERIFY(std::abs(confidenceOf(ExitRule::MaxProbability, logits) - 0.6) < 1e-7); // logits are floats: 6e-8 each
        QVERIFY(std::abs(confidenceOf(ExitRule::Entropy, logits) - (1 - 0.8979457248567797 / 1.0986122886681098)) < 1e-7);
        QVERIFY(std::abs(confidenceOf(ExitRule::MaxProbability, even) - 0.2) < 1e-15);
        QVERIFY(confidenceOf(ExitRule::Entropy, even) < 1e-15);
        for (const ExitRule rule : {ExitRule::MaxProbability, ExitRule::Entropy}) {
            QCOMPARE(confidenceOf(rule, one), 1.0);
            QCOMPARE(confidenceOf(rule, sharp), 1.0); // e^-200 is below the rounding of 1
            QVERIFY_EXCEPTION_THROWN(confidenceOf(rule, std::vector<float>{1, NAN}), Error);
        }
        QVERIFY(parseExitRule("entropy") == ExitRule::Entropy);
        QVERIFY_EXCEPTION_THROWN(parseExitRule("sure"), Error);
    }
    void thresholdsFall()
    {
        QCOMPARE(fallingThresholds(0.5, 0.25, 4), (std::vector<double>{0.5, 0.25, 0, 0}));
        QCOMPARE(fallingThresholds(0.9, 0, 2), (std::vector<double>{0.9, 0.9}));
    }
    /// The mean cost over photos is the sum over the histogram, each exit with all heads tried so far: not an average exit of another distribution.
    void costsAreSumsOverTheHistogram()
    {
        // 80 % leave at block 6 of 12, the others at none: 0.8 * 6 + 0.2 * 12 = 7.2 blocks, and a head each
        ExitTable table{tensor::Matrix<float>(10, 1), tensor::Matrix<std::uint8_t>(10, 1)};
        for (std::int64_t photo = 0; photo < 10; ++photo) {
            table.confidence(photo, 0) = photo < 8 ? 0.9f : 0.1f;
            table.agrees(photo, 0) = photo != 3;
        }
        const std::vector<double> blocks{6, 12}, withHeads{6 + 0.01, 12 + 0.02};
        const ExitOutcome outcome = outcomeOf(table, std::vector<double>{0.5}, blocks);
        QVERIFY(std::abs(outcome.cost - 7.2) < 1e-12);
        QVERIFY(std::abs(outcomeOf(table, std::vector<double>{0.5}, withHeads).cost - 7.212) < 1e-12);
        QVERIFY(std::abs(outcome.agreement - 0.9) < 1e-12);
        QCOMPARE(outcome.histogram, (std::vector<std::int64_t>{8, 2}));
        QCOMPARE(outcomeOf(table, std::vector<double>{kNever}, blocks).histogram, (std::vector<std::int64_t>{0, 10}));
        QCOMPARE(outcomeOf(table, std::vector<double>{0}, blocks).histogram, (std::vector<std::int64_t>{10, 0}));
    }
    void candidatesAreSharesOfThePhotos()
    {
        const ExitTable table = drawn(40, 2, 3);
        const auto candidates = candidateThresholds(table, 8);
        QCOMPARE(candidates.size(), std::size_t{2});
        for (std::size_t exit = 0; exit < 2; ++exit) {
            QCOMPARE(candidates[exit].front(), kNever);
            QVERIFY(std::ranges::is_sorted(candidates[exit], std::greater{}));
            for (std::size_t i = 1; i < candidates[exit].size(); ++i) {
                std::int64_t sure = 0;
                for (std::int64_t photo = 0; photo < 40; ++photo)
                    sure += static_cast<double>(table.confidence(photo, static_cast<std::int64_t>(exit))) >= candidates[exit][i] ? 1 : 0;
                QCOMPARE(sure, static_cast<std::int64_t>(5 * i)); // draws differ: 40 of them in 2^24 steps
            }
        }
    }
    void theSearchFindsWhatBruteForceFinds_data()
    {
        QTest::addColumn<unsigned>("seed");
        for (unsigned seed = 1; seed <= 12; ++seed)
            QTest::addRow("%u", seed) << seed;
    }
    void theSearchFindsWhatBruteForceFinds()
    {
        QFETCH(unsigned, seed);
        const ExitTable table = drawn(60, 3, seed);
        const std::vector<double> costs{1, 2.1, 3.3, 4.6};
        const auto candidates = candidateThresholds(table, 6); // 7^3 combinations; at most 49 partial ones, below kWidth: exact
        for (const double target : {1.0, 0.95, 0.8, 0.0}) {
            const ExitOutcome found = outcomeOf(table, tuneThresholds(table, costs, target, candidates), costs), best = bruteForce(table, costs, target, candidates);
            QVERIFY(found.agreement >= target - 1e-12);
            QVERIFY(std::abs(found.cost - best.cost) < 1e-9);
            QVERIFY(std::abs(found.agreement - best.agreement) < 1e-12);
        }
    }
    /// More exits than it can be exact for: the target holds, and no single threshold moved makes it cheaper by more than a little.
    void manyExitsMeetTheTarget()
    {
        const ExitTable table = drawn(300, 11, 5);
        std::vector<double> costs;
        for (int i = 0; i < 12; ++i)
            costs.push_back(1 + 0.3 * i);
        const auto candidates = candidateThresholds(table, 12);
        double before = 0;
        for (const double target : {0.7, 0.9, 0.97, 1.0}) {
            const std::vector<double> tuned = tuneThresholds(table, costs, target, candidates);
            const ExitOutcome outcome = outcomeOf(table, tuned, costs);
            QVERIFY(outcome.agreement >= target - 1e-12);
            QVERIFY(outcome.cost <= costs.back() + 1e-9);
            QVERIFY(outcome.cost >= before - 1e-9); // a harder target costs more
            before = outcome.cost;
            double bestOne = kNever; // one threshold for all exits: the choice that needs no search
            for (double threshold = 0; threshold <= 1; threshold += 0.02)
                if (const ExitOutcome fixed = outcomeOf(table, std::vector<double>(11, threshold), costs); fixed.agreement >= target - 1e-12)
                    bestOne = std::min(bestOne, fixed.cost);
            QVERIFY(outcome.cost <= bestOne + 0.05);
        }
    }
    void badTablesAreRefusedAndStopsHeard()
    {
        const ExitTable table = drawn(5, 2, 1), none{tensor::Matrix<float>(0, 2), tensor::Matrix<std::uint8_t>(0, 2)};
        const std::vector<double> two{0.5, 0.5}, three{1, 2, 3};
        QVERIFY_EXCEPTION_THROWN(outcomeOf(table, three, three), Error);
        QVERIFY_EXCEPTION_THROWN(outcomeOf(table, two, two), Error);
        QVERIFY_EXCEPTION_THROWN(outcomeOf(none, two, three), Error);
        QVERIFY_EXCEPTION_THROWN(tuneThresholds(table, two, 0.9, {{0.5}, {0.5}}), Error);
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(tuneThresholds(table, three, 0.9, {{0.5}, {0.5}}, RunContext(stop.get_token())), Error);
    }
};

QTEST_GUILESS_MAIN(TestExitRule)
#include "tst_exit_rule.moc"
