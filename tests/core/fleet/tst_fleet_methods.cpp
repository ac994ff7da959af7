// SPDX-License-Identifier: GPL-3.0-or-later
// The fleet's methods as the program runs them: declarations and pages, sums that must hold, closed forms, differences between frames.
#include "core/base/error.h"
#include "core/fleet/delta_transfer.h"
#include "core/fleet/edge_cloud.h"
#include "core/cache/simulate.h"
#include "core/fleet/method.h"
#include "core/fleet/placement.h"
#include "tests/core/base/failure.h"
#include "tests/core/cache/mixed_trace.h"
#include "tests/core/method_pages.h"

#include <QTest>

#include <cmath>
#include <numeric>

using namespace tamis;
using namespace tamis::fleet;

class TstFleetMethods : public QObject {
    Q_OBJECT
    Inputs m_inputs;

    static Parameters with(std::initializer_list<std::pair<const char*, ParameterValue>> values)
    {
        Parameters parameters;
        for (const auto& [name, value] : values)
            parameters.set(name, value);
        return parameters;
    }
    report::FleetReport run(const char* id, const Parameters& parameters = {}) const { return findMethod(id)->run(m_inputs, parameters, {}); }
    static std::uint64_t sum(const std::vector<std::uint64_t>& counts) { return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}); }

private slots:
    void initTestCase()
    {
        m_inputs.trace = std::make_shared<cache::Trace>(mixedTrace(7, 20'000, false));
        m_inputs.seed = 3;
    }
    void pagesNameEveryParameter_data() { test::addMethodRows(methods()); }
    void pagesNameEveryParameter()
    {
        QFETCH(QString, id);
        test::verifyPage(findMethod(id.toStdString())->declaration);
    }
    void idsAreUnique()
    {
        test::verifyIds(methods(), [](const Method& method) { return static_cast<bool>(method.run); });
        QVERIFY(findMethod("fleet.none") == nullptr);
    }
    void loadsAddUp()
    {
        const auto report = run("fleet.ring", with({{"replicas", std::int64_t{2}}}));
        const auto& ring = report.ring;
        QCOMPARE(ring.placements.size(), std::size_t{3});
        for (const auto& load : ring.placements) {
            QCOMPARE(sum(load.keys), report.objects);
            QCOMPARE(sum(load.requests), report.requests);
            QCOMPARE(static_cast<double>(sum(load.hits)) / static_cast<double>(report.requests), load.hitRatio);
            QVERIFY(load.maxOverMean >= 1 && load.hitRatio > 0);
        }
        QCOMPARE(ring.placements[0].movedOnLeave, static_cast<double>(ring.placements[0].keys[0]) / static_cast<double>(report.objects)); // the keys of device 0, no more
        QCOMPARE(ring.placements[1].movedOnLeave, static_cast<double>(ring.placements[1].keys[0]) / static_cast<double>(report.objects));
        QVERIFY(ring.placements[2].movedOnLeave > 0.8 && ring.placements[2].movedOnJoin > 0.8);
        QVERIFY(ring.placements[0].movedOnJoin < 0.25);
        QCOMPARE(ring.ringWindows.size(), std::size_t{50});
        const auto dip = [](const std::vector<double>& windows) { return windows[24] - windows[25]; };
        QVERIFY(dip(ring.moduloWindows) > dip(ring.ringWindows)); // nearly all is elsewhere at once
        QCOMPARE(ring.spread.front().virtualNodes, 1);
        QVERIFY(ring.spread.back().measured < ring.spread.front().measured / 4);
        for (const auto& point : ring.spread)
            QVERIFY2(std::fabs(point.measured - point.expected) < 5 * point.deviation + 1e-9, qPrintable(QString::number(point.virtualNodes)));
    }
    /// Each device is a cache on the requests of its own keys; without placement each learns everything itself.
    void placementIsWorthIt()
    {
        const auto report = run("fleet.ring", with({{"hot-share", 0.0}})).ring;
        QVERIFY(report.hot.empty());
        QCOMPARE(report.placements[0].maxOverMean, report.maxOverMeanWithoutHot);
        QVERIFY(report.placements[0].hitRatio > report.scatteredHitRatio + 0.05);
        const cache::Trace& trace = *m_inputs.trace;
        const auto hitsOf = [&](std::uint64_t capacity, const std::function<bool(std::uint32_t)>& belongs) {
            cache::Trace part = trace;
            std::erase_if(part.objects, [&](std::uint32_t object) { return !belongs(object); });
            const auto policy = cache::findMethod("cache.lru")->policy({capacity, 0, 1}, {});
            return cache::simulate(part, {}, *policy, 0, {}).hits;
        };
        const auto room = [&](double devices) { return static_cast<std::uint64_t>(std::llround(0.1 * static_cast<double>(trace.ids.size()) / devices)); };
        QCOMPARE(report.pooledHitRatio, static_cast<double>(hitsOf(room(1), [](std::uint32_t) { return true; })) / static_cast<double>(trace.requests()));
        std::vector<std::uint32_t> devices(8);
        std::iota(devices.begin(), devices.end(), 0U);
        const Placement ring(Rule::Ring, devices, 64, m_inputs.seed);
        for (std::uint32_t device = 0; device < 8; ++device)
            QCOMPARE(report.placements[0].hits[device], hitsOf(room(8), [&](std::uint32_t object) { return ring.first(trace.ids[object]) == device; }));
    }
    void hotKeysAreSpread()
    {
        Inputs inputs = m_inputs;
        cache::Trace trace = *m_inputs.trace;
        for (std::size_t i = 0; i < trace.objects.size(); i += 3)
            trace.objects[i] = 5; // a third of all requests
        inputs.trace = std::make_shared<cache::Trace>(trace);
        const auto report = findMethod("fleet.ring")->run(inputs, with({{"hot-share", 0.1}, {"hot-replicas", std::int64_t{7}}, {"window", std::int64_t{500}}}), {}).ring;
        QCOMPARE(report.hot.size(), std::size_t{1});
        QCOMPARE(report.hot[0].id, std::to_string(trace.ids[5]));
        QVERIFY(report.hot[0].share > 0.33 && report.hot[0].atRequest < 500);
        QVERIFY(report.maxOverMeanWithoutHot > 2.5 && report.placements[0].maxOverMean < 1.6);
    }
    void sameSeedSameNumbers()
    {
        const auto a = run("fleet.ring"), b = run("fleet.ring");
        for (std::size_t i = 0; i < a.ring.placements.size(); ++i)
            QVERIFY(a.ring.placements[i].requests == b.ring.placements[i].requests && a.ring.placements[i].hits == b.ring.placements[i].hits);
        Inputs other = m_inputs;
        other.seed = 4;
        QVERIFY(findMethod("fleet.ring")->run(other, {}, {}).ring.placements[0].keys != a.ring.placements[0].keys);
    }
    void breakEven()
    {
        const report::LatencyLine line{0.002, 1e-8};
        const auto fetch = tierFetch(line, 100'000, 0.005);
        QVERIFY(std::fabs(fetch.seconds - 0.003) < 1e-15 && fetch.worthwhile);
        QVERIFY(std::fabs(line.at(fetch.breakEvenBytes) - 0.005) < 1e-15);
        QVERIFY(std::fabs(report::LatencyLine{fetch.breakEvenLatency, 1e-8}.at(100'000) - 0.005) < 1e-15);
        QVERIFY(std::fabs(report::LatencyLine{0.002, 1 / fetch.breakEvenBandwidth}.at(100'000) - 0.005) < 1e-15);
        const auto never = tierFetch(line, 100'000, 0.001); // the latency alone takes longer
        QVERIFY(!never.worthwhile && never.breakEvenBytes < 0 && std::isnan(never.breakEvenBandwidth));
    }
    void tiersAreAsTheFormulaSays()
    {
        for (const double encode : {0.5, 5.0, 5000.0}) {
            const auto report = run("fleet.edge-cloud", with({{"encode", encode}, {"transfer", std::string("int8")}, {"tokens", std::int64_t{100}}, {"width", std::int64_t{200}}}));
            const auto& edge = report.edgeCloud;
            QCOMPARE(edge.featureBytes, 80'000.0);
            const double seconds = encode / 1000, bytes = 100 * 200 + 100 * 4;
            const double device = std::min(seconds, 1e-5 + 80'000 / 5e9), near = std::min(seconds, 2e-3 + bytes / 50e6), far = std::min(seconds, 40e-3 + bytes / 10e6);
            const auto share = [&](std::size_t tier) { return edge.shares[tier].share; };
            QVERIFY(std::fabs(share(0) + share(1) + share(2) + share(3) - 1) < 1e-12);
            QVERIFY(std::fabs(share(3) - static_cast<double>(report.objects) / static_cast<double>(report.requests)) < 1e-12); // first requests are computed
            const double mean = share(0) * device + share(1) * near + share(2) * far + share(3) * seconds;
            QVERIFY(std::fabs(edge.meanSeconds - mean) < 1e-12 * mean * 1000);
            QVERIFY(edge.meanSeconds <= edge.alwaysFetchSeconds && edge.meanSeconds <= edge.encodeSeconds);
            for (const auto& fetch : edge.fetches)
                QCOMPARE(fetch.worthwhile, fetch.seconds < seconds);
            QCOMPARE(edge.fetches.size(), std::size_t{9});
        }
        const auto whole = run("fleet.edge-cloud", with({{"device-capacity", 1.0}, {"devices", std::int64_t{1}}}));
        QVERIFY(std::fabs(whole.edgeCloud.shares[0].share + whole.edgeCloud.shares[3].share - 1) < 1e-12); // one device that keeps all asks nobody
    }
    void entropyOfCounts()
    {
        QCOMPARE(entropyBits(std::vector<std::uint64_t>{8, 8}), 16.0);
        QCOMPARE(entropyBits(std::vector<std::uint64_t>{0, 7, 0}), 0.0);
        QVERIFY(std::fabs(entropyBits(std::vector<std::uint64_t>{1, 3}) - (2 + 3 * std::log2(4.0 / 3))) < 1e-12);
    }
    /// Errors do not add up over frames; what did not change is not sent.
    void differencesBetweenFrames()
    {
        tensor::Matrix<float> frame(10, 64);
        std::uint64_t state = 1;
        for (float& value : frame.values())
            value = static_cast<float>(nextBits(state) % 2000) / 1000.0F - 1;
        DeltaSender all(0), some(0.2);
        all.send(frame);
        QCOMPARE(some.send(frame).rows, std::uint64_t{10});
        const auto same = some.send(frame);
        QCOMPARE(same.rows, std::uint64_t{0});
        QCOMPARE(same.bytes, 2.0); // ten bits that say so
        for (int step = 0; step < 30; ++step) {
            for (float& value : frame.values())
                value += static_cast<float>(nextBits(state) % 200) / 10'000.0F - 0.01F; // at most 0.01
            const auto sent = all.send(frame);
            QCOMPARE(sent.rows, std::uint64_t{10});
            QVERIFY(sent.bytes <= sent.rawBytes && sent.bytes > 10 * 4);
            for (std::size_t i = 0; i < frame.size(); ++i) // 0.01 and what the frame before was off by, 1 / 254 of the first at most: half a step of 127; the rest is float's rounding
                QVERIFY(std::fabs(frame.values()[i] - all.received().values()[i]) < (0.01F + 1.0F / 254) / 254 + 1e-6F);
            QVERIFY(some.send(frame).squaredError <= 0.2 * 0.2 * sent.squaredNorm * 1.0001);
        }
        QVERIFY(test::failure([&] { all.send(tensor::Matrix<float>(3, 3)); }, ErrorCode::InvalidParameter).contains("another shape"));
        frame(0, 0) = NAN;
        QVERIFY(test::failure([&] { all.send(frame); }, ErrorCode::NonFinite).contains("not finite"));
    }
    void badSettings()
    {
        const auto refused = [&](const char* id, const Parameters& parameters) { return test::failure([&] { run(id, parameters); }, ErrorCode::InvalidParameter); };
        QVERIFY(refused("fleet.ring", with({{"devices", std::int64_t{4}}, {"leaving", std::int64_t{4}}})).contains("0 to 3"));
        QVERIFY(refused("fleet.ring", with({{"devices", std::int64_t{4}}, {"replicas", std::int64_t{4}}})).contains("fewer than the 4 devices"));
        QVERIFY(test::failure([&] { findMethod("fleet.ring")->run({}, {}, {}); }, ErrorCode::InvalidParameter).contains("expected a trace"));
        QVERIFY(test::failure([&] { findMethod("fleet.edge-cloud")->run({}, {}, {}); }, ErrorCode::InvalidParameter).contains("expected a trace"));
        QVERIFY(test::failure([&] { findMethod("fleet.remote")->run({}, {}, {}); }, ErrorCode::InvalidParameter).contains("expected a model"));
        std::stop_source source;
        source.request_stop();
        for (const char* id : {"fleet.ring", "fleet.edge-cloud"})
            QVERIFY(test::failure([&] { findMethod(id)->run(m_inputs, {}, RunContext(source.get_token())); }, ErrorCode::Cancelled) != "no error");
    }
};

QTEST_GUILESS_MAIN(TstFleetMethods)
#include "tst_fleet_methods.moc"
