// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session/session_state.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <random>

using namespace tamis;
using namespace tamis::app;

namespace {
KeptPoint pointAt(std::uint64_t parameters, double loss)
{
    KeptPoint point;
    point.cost.parameters = parameters;
    point.relativeLoss = loss;
    return point;
}
std::vector<bool> frontOf(const std::vector<KeptPoint>& points)
{
    std::vector<bool> front;
    for (const auto& point : operatingPoints(points))
        front.push_back(point.onFront);
    return front;
}
/// The other way to say it: going through the costs upwards, a point is on the front when it has the least loss of its cost,
/// and less than everything cheaper.
std::vector<bool> frontBySweep(const std::vector<KeptPoint>& points)
{
    std::map<std::uint64_t, double> least; // cost -> least loss at it
    for (const auto& point : points) {
        const auto [place, isNew] = least.try_emplace(point.cost.parameters, point.relativeLoss);
        place->second = std::min(place->second, point.relativeLoss);
    }
    std::map<std::uint64_t, double> steps;
    double best = std::numeric_limits<double>::infinity();
    for (const auto& [cost, loss] : least)
        if (loss < best)
            steps[cost] = best = loss;
    std::vector<bool> front;
    for (const auto& point : points) {
        const auto step = steps.find(point.cost.parameters);
        front.push_back(step != steps.end() && step->second == point.relativeLoss);
    }
    return front;
}
} // namespace

class TstSessionState : public QObject
{
    Q_OBJECT
private slots:
    void theFrontOfRandomPoints_data()
    {
        QTest::addColumn<int>("grid"); // few values: many ties
        for (const int grid : {2, 5, 20, 1'000'000})
            QTest::addRow("%d", grid) << grid;
    }
    void theFrontOfRandomPoints()
    {
        QFETCH(int, grid);
        std::mt19937 random(static_cast<unsigned>(grid));
        std::uniform_int_distribution<int> value(1, grid), count(0, 40);
        for (int round = 0; round < 200; ++round) {
            std::vector<KeptPoint> points(static_cast<std::size_t>(count(random)));
            for (auto& point : points)
                point = pointAt(static_cast<std::uint64_t>(value(random)), value(random) / static_cast<double>(grid));
            const auto front = frontOf(points);
            QVERIFY(front == frontBySweep(points));
            QVERIFY(points.empty() || std::count(front.begin(), front.end(), true) > 0);
        }
    }
    void smallFronts()
    {
        QVERIFY((frontOf({pointAt(1, 3), pointAt(2, 2), pointAt(3, 1)}) == std::vector<bool>{true, true, true}));
        QVERIFY((frontOf({pointAt(1, 1), pointAt(2, 2), pointAt(1, 2), pointAt(2, 1)}) == std::vector<bool>{true, false, false, false}));
        QVERIFY((frontOf({pointAt(1, 1), pointAt(1, 1)}) == std::vector<bool>{true, true})); // twins do not beat each other
        QVERIFY((frontOf({pointAt(1, std::nan("")), pointAt(2, 1)}) == std::vector<bool>{false, true}));
    }
    void pointsKeepWhatTheyAre()
    {
        KeptPoint point = pointAt(7, 0.5);
        point.label = "mine";
        point.keep = 0.25;
        point.baseline = true;
        point.cost.bytes = 28;
        point.settings.budget.keep = 0.3;
        const auto shown = operatingPoints({point}).at(0);
        QCOMPARE(shown.label, std::string("mine"));
        QCOMPARE(shown.settings, settingsLine(point.settings));
        QCOMPARE(shown.keep, 0.25);
        QCOMPARE(shown.relativeLoss, 0.5);
        QCOMPARE(shown.cost.bytes, std::uint64_t(28));
        QVERIFY(shown.baseline && shown.onFront);
    }
    void settingsInOneLine()
    {
        Settings settings;
        QCOMPARE(settingsLine(settings), std::string("spectrum.whitened, keep 60 %, greedy, factors"));
        settings.method = "spectrum.plain";
        settings.parameters.set("ridge", 0.01);
        settings.parameters.set("exact", true);
        settings.parameters.set("slow", false); // what is off is not said
        settings.parameters.set("form", std::string("svd"));
        settings.budget = {1.0 / 3, plan::Allocation::Energy, plan::Accounting::BlockIdentity, 8, {}};
        settings.budget.overrides["head"] = {40, true};
        settings.budget.overrides["blocks.0.qkv"] = {std::nullopt, true};
        QCOMPARE(settingsLine(settings), std::string("spectrum.plain, exact, form svd, ridge 0.01, keep 33.3 %, energy, block-identity, "
                                                     "ranks of 8, 2 by hand"));
    }
    void aPointEqualsItsCopyAndNothingElse()
    {
        KeptPoint point = pointAt(1, 0.5);
        QVERIFY(std::isnan(point.cost.latencyMs) && point == KeptPoint(point));
        const std::vector<std::function<void(KeptPoint&)>> edits = {
            [](KeptPoint& p) { p.label = "x"; },          [](KeptPoint& p) { p.settings.method = "x"; },
            [](KeptPoint& p) { p.keep = 0.5; },           [](KeptPoint& p) { p.relativeLoss = std::nan(""); },
            [](KeptPoint& p) { p.cost.parameters = 2; },  [](KeptPoint& p) { p.cost.bytes = 2; },
            [](KeptPoint& p) { p.cost.macs = 2; },        [](KeptPoint& p) { p.cost.latencyMs = 2; },
            [](KeptPoint& p) { p.baseline = true; }};
        for (const auto& edit : edits) {
            KeptPoint other = point;
            edit(other);
            QVERIFY(!(other == point) && !(point == other));
            QVERIFY(other == KeptPoint(other));
        }
    }
};

QTEST_GUILESS_MAIN(TstSessionState)
#include "tst_session_state.moc"
