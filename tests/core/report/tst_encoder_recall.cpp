// SPDX-License-Identifier: GPL-3.0-or-later
// Recall read from places, against counting by hand.
#include "core/report/encoder_recall.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <random>

using namespace tamis::report;

namespace {
/// Sets of 0 to 8 latents of 500, each somewhere in the coarse order.
EncoderReport drawn(std::uint32_t seed, int tokens)
{
    std::mt19937 random(seed);
    EncoderReport report;
    report.latents = 500;
    report.k = 8;
    report.tokens = tokens;
    for (int t = 0; t < tokens; ++t) {
        TokenOutcome outcome;
        outcome.exact = static_cast<std::int64_t>(random() % 9);
        for (std::int64_t i = 0; i < outcome.exact; ++i) {
            const double rank = std::floor(500 * std::pow(static_cast<double>(random()) / 4294967296.0, 4));
            report.exactLatents.push_back(static_cast<std::int32_t>(random() % 40));
            report.coarseRanks.push_back(rank);
            outcome.found += rank < 8;
        }
        outcome.recall = outcome.exact > 0 ? static_cast<double>(outcome.found) / static_cast<double>(outcome.exact) : 1;
        report.outcomes.push_back(outcome);
    }
    return report;
}
} // namespace

class TestEncoderRecall : public QObject {
    Q_OBJECT
private slots:
    void smallSetsByHand()
    {
        EncoderReport report;
        report.latents = 10;
        report.outcomes = {{.exact = 2}, {.exact = 0}, {.exact = 4}};
        report.exactLatents = {3, 5, 3, 4, 5, 6};
        report.coarseRanks = {0, 7, 1, 2, 3, 9};
        const auto recall = recallAtCut(report, 4);
        QCOMPARE(recall.tokens, (std::vector<double>{0.5, 0.75})); // the token without a set does not count
        QCOMPARE(recall.mean, 0.625);
        QCOMPARE(recall.min, 0.5);
        QCOMPARE(recall.p5, 0.5);
        QCOMPARE(recall.complete, std::int64_t(0));
        QCOMPARE(recallAtCut(report, 10).mean, 1.0);
        QCOMPARE(recallAtCut(report, 10).complete, std::int64_t(2));
        QCOMPARE(recallAtCut(report, 0).mean, 0.0);
        const auto missed = missedAtCut(report, 4, 10);
        QCOMPARE(missed.size(), std::size_t(2));
        QCOMPARE(missed[0].latent, 5); // one of two, before 6 (one of one) by its number
        QCOMPARE(missed[0].count, std::int64_t(1));
        QCOMPARE(missed[0].active, std::int64_t(2));
        QCOMPARE(missed[1].latent, 6);
        QCOMPARE(missedAtCut(report, 4, 1).size(), std::size_t(1));
        QCOMPARE(cutForRecall(report, 0.5), std::int64_t(3));
        QCOMPARE(cutForRecall(report, 1), std::int64_t(10));
        QCOMPARE(cutForRecall(report, 0), std::int64_t(0));
    }
    void aCutOfKIsWhatACoarseEncoderFinds()
    {
        const auto report = drawn(1, 300);
        const auto cut = recallAtCut(report, report.k), own = recallOf(report);
        QCOMPARE(cut.tokens, own.tokens);
        QCOMPARE(cut.mean, own.mean);
        QCOMPARE(cut.p5, own.p5);
        QCOMPARE(cut.p1, own.p1);
    }
    void recallNeverFallsAsTheCutGrows()
    {
        const auto report = drawn(2, 200);
        double before = 0;
        for (std::int64_t cut = 0; cut <= 500; cut += 7) {
            const auto recall = recallAtCut(report, cut);
            QVERIFY(recall.mean >= before);
            QVERIFY(recall.min <= recall.p1 && recall.p1 <= recall.p5 && recall.p5 <= 1);
            before = recall.mean;
        }
    }
    void theCurveIsTheShareBelowEachCut()
    {
        const auto report = drawn(3, 200);
        const auto curve = recallCurve(report);
        QCOMPARE(curve.points.front().x, 1.0);
        QCOMPARE(curve.points.back().x, 500.0);
        QCOMPARE(curve.points.back().y, 1.0);
        QVERIFY(curve.points.size() <= 400);
        for (const auto& point : curve.points) {
            const auto below = std::ranges::count_if(report.coarseRanks, [&](double rank) { return rank < point.x; });
            QCOMPARE(point.y, static_cast<double>(below) / static_cast<double>(report.coarseRanks.size()));
        }
    }
    void theCutForARecallIsTheLeast()
    {
        const auto report = drawn(4, 200);
        const auto found = [&](std::int64_t cut) {
            return static_cast<double>(std::ranges::count_if(report.coarseRanks, [&](double rank) { return rank < static_cast<double>(cut); })) /
                   static_cast<double>(report.coarseRanks.size());
        };
        for (const double share : {0.3, 0.9, 0.99, 1.0}) {
            const auto cut = cutForRecall(report, share);
            QVERIFY(found(cut) >= share);
            QVERIFY(found(cut - 1) < share);
        }
    }
    void withoutPlacesNothingIsSaid()
    {
        EncoderReport report;
        report.outcomes = {{.recall = 0.5, .exact = 2, .found = 1}};
        QVERIFY(!hasCoarseRanks(report));
        QVERIFY(std::isnan(recallAtCut(report, 5).mean));
        QVERIFY(recallCurve(report).points.empty());
        QCOMPARE(cutForRecall(report, 0.9), std::int64_t(0));
        QVERIFY(coarsePlaces(report).empty());
        QCOMPARE(recallOf(report).mean, 0.5);
    }
};

QTEST_APPLESS_MAIN(TestEncoderRecall)
#include "tst_encoder_recall.moc"
