// SPDX-License-Identifier: GPL-3.0-or-later
// Costs against the number of tokens: what is counted, what is left out and why, where curves cross, and how soon a stop is heard.
#include "core/attention/cost_curve.h"

#include "core/attention/tiled.h"
#include "core/base/error.h"

#include <QTest>

#include <chrono>
#include <cmath>
#include <thread>

using namespace tamis;
using namespace tamis::attention;

namespace {
const report::Ceilings kCeilings{.name = "test", .gflops = 100, .gigabytesPerSecond = 10};

Inputs block(bool causal = false)
{
    return {.spec = {.heads = 2, .keyValueHeads = 2, .headDim = 16, .scale = 0.25F, .causal = causal}, .width = 32, .prefix = 1, .gridHeight = 4, .gridWidth = 4};
}

CostCurveSettings quick(std::vector<std::int64_t> tokens)
{
    CostCurveSettings settings;
    settings.tokens = std::move(tokens);
    settings.secondsPerSize = 0.002;
    settings.ceilings = kCeilings;
    return settings;
}
} // namespace

class TestCostCurve : public QObject {
    Q_OBJECT
private slots:
    void countsAreThoseOfTheOperators()
    {
        const CostCurveSettings settings = quick({1, 65, 101, 257}); // what fills a square grid behind one token (1: a patch alone)
        Parameters landmarks;
        landmarks.set("landmarks", std::int64_t{8});
        const std::vector<CurveChoice> choices{{"attention.nystrom", landmarks}, {"attention.tiled", {}}};
        const RunContext context;
        const auto curves = costCurves(block(), choices, settings, context);
        QCOMPARE(curves.size(), std::size_t{3});
        QVERIFY(curves[0].method.empty() && curves[1].method == "attention.nystrom" && curves[1].settings == "landmarks 8");
        QCOMPARE(context.fraction(), 1.0);
        const nn::AttentionPtr nystrom = findMethod("attention.nystrom")->op(block(), landmarks);
        for (const auto& curve : curves) {
            QCOMPARE(curve.rows.size(), settings.tokens.size());
            for (std::size_t i = 0; i < curve.rows.size(); ++i) {
                const auto& row = curve.rows[i];
                QCOMPARE(row.tokens, settings.tokens[i]);
                QVERIFY2(row.failure.empty(), row.failure.c_str());
                QVERIFY(row.ms > 0 && row.predictedMs > 0);
                QCOMPARE(row.readBytes > 0, &curve != &curves[1]);
            }
        }
        QCOMPARE(curves[0].rows[3].macs, std::uint64_t{2 * 257 * 257 * 32});
        QCOMPARE(curves[0].rows[3].liveBytes, 4 * tiledAttention(block().spec)->cost(257).liveFloats);
        QCOMPARE(curves[0].rows[3].readBytes, 2 * tiledTraffic(257, 16, 0, 0).readBytes);
        QCOMPARE(curves[1].rows[3].macs, nystrom->cost(257).macs);
        QCOMPARE(curves[0].rows[0].macs, curves[2].rows[0].macs);
    }
    void photosKeepSquareGrids()
    {
        const auto curves = costCurves(block(), {}, quick({64, 66, 128, 256}));
        std::vector<std::int64_t> sizes;
        for (const auto& row : curves[0].rows)
            sizes.push_back(row.tokens);
        QCOMPARE(sizes, (std::vector<std::int64_t>{65, 122, 257})); // 1 + 8^2 once, 1 + 11^2, 1 + 16^2: not 1 + 1 x 127
        Inputs text = block();
        text.prefix = text.gridHeight = text.gridWidth = 0;
        QCOMPARE(costCurves(text, {}, quick({97}))[0].rows[0].tokens, std::int64_t{97});
    }
    void fitsAreRefusedBeforeTheyBegin()
    {
        const std::vector<CurveChoice> choices{{"attention.fitted-linformer", {}}};
        CostCurveSettings settings = quick({65, 4097});
        settings.memoryLimit = 40 << 20; // a map of 4097 x 4097 floats has 64 MiB; the rows and tiles fit
        const auto start = std::chrono::steady_clock::now();
        const auto curve = costCurves(block(), choices, settings)[1];
        QVERIFY2(curve.rows[0].failure.empty(), curve.rows[0].failure.c_str());
        QVERIFY2(curve.rows[1].failure.find("fitting needs ") == 0, curve.rows[1].failure.c_str());
        settings = quick({4097});
        settings.slowestSeconds = 0.001;
        QVERIFY2(costCurves(block(), choices, settings)[1].rows[0].failure.find("fitting takes at least ") == 0, "time");
        QVERIFY(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
    }
    void fitsAreStopped()
    {
        std::stop_source stop;
        stop.request_stop();
        Inputs inputs = block();
        inputs.context = RunContext(stop.get_token());
        auto samples = std::make_shared<BlockSamples>();
        samples->samples.push_back({tensor::Matrix<float>(17, 32), tensor::Matrix<float>(17, 32), tensor::Matrix<float>(17, 32), tensor::Matrix<float>(17, 32)});
        inputs.samples = samples;
        for (const Method& method : methods()) {
            QVERIFY2(static_cast<bool>(method.fitCost) == method.fits, method.declaration.id.c_str());
            if (!method.fits)
                continue;
            try {
                (void)method.op(inputs, method.declaration.schema.defaults());
                QFAIL(method.declaration.id.c_str());
            } catch (const Error& error) {
                QCOMPARE(error.code(), ErrorCode::Cancelled);
            }
        }
    }
    void theSlowerCeilingPredicts()
    {
        QCOMPARE(predictedMs(50'000'000, 0, kCeilings), 1.0);
        QCOMPARE(predictedMs(50'000'000, 20'000'000, kCeilings), 2.0);
        const auto exact = tiledAttention(block().spec);
        QCOMPARE(leastBytes(block().spec, *exact, 64), 4 * (4 * 64 * 32 + 2 * exact->cost(64).liveFloats));
    }
    void curvesCrossBetweenSizes()
    {
        const std::vector<std::int64_t> tokens{64, 128, 256, 512};
        // exact n^2, other 200 n: they meet at 200, on lines that are straight in these scales
        const std::vector<double> exact{4096, 16384, 65536, 262144}, other{12800, 25600, 51200, 102400};
        QVERIFY(std::abs(crossover(tokens, exact, other) - 200) < 1e-9);
        QVERIFY(std::isnan(crossover(tokens, other, exact)));
        const std::vector<double> below{1, 1, 1, 1}, gap{12800, 25600, report::kNotMeasured, 102400};
        QCOMPARE(crossover(tokens, exact, below), 64.0);
        QVERIFY(std::abs(crossover(tokens, exact, gap) - 200) < 1e-9); // the line from 128 to 512 is the same one
        const std::vector<double> once{1, 25600, 51200, 102400}; // below, above, below: the last time counts
        QVERIFY(std::abs(crossover(tokens, exact, once) - 200) < 1e-9);
        const std::vector<double> none(4, report::kNotMeasured);
        QVERIFY(std::isnan(crossover(tokens, exact, none)));
    }
    void sizesThatDoNotFitSayWhy()
    {
        CostCurveSettings settings = quick({64, 4096});
        settings.memoryLimit = 1 << 20;
        const std::vector<CurveChoice> choices{{"attention.mean-value", {}}};
        for (const auto& curve : costCurves(block(), choices, settings)) {
            QVERIFY(curve.rows[0].failure.empty() && std::isfinite(curve.rows[0].ms));
            QVERIFY2(curve.rows[1].failure.find("needs ") == 0 && curve.rows[1].failure.find("1 MiB are allowed") != std::string::npos, curve.rows[1].failure.c_str());
            QVERIFY(std::isnan(curve.rows[1].ms) && std::isfinite(curve.rows[1].predictedMs));
        }
        settings = quick({64, 1 << 14});
        settings.slowestSeconds = 0.01;
        const auto slow = costCurves(block(), {}, settings);
        QVERIFY2(slow[0].rows[1].failure.find("takes at least ") == 0, slow[0].rows[1].failure.c_str());
    }
    void whatAnOperatorRefusesStandsInItsRow()
    {
        const std::vector<CurveChoice> choices{{"attention.linformer", {}}}; // not for causal attention
        const auto curves = costCurves(block(true), choices, quick({64, 128}));
        for (const auto& row : curves[1].rows)
            QVERIFY(!row.failure.empty() && std::isnan(row.ms));
        QVERIFY(std::isnan(curves[1].measuredCrossover) && std::isnan(curves[1].predictedCrossover));
    }
    void everyMethodIsMeasuredOrSaysWhyNot()
    {
        std::vector<CurveChoice> choices;
        for (const Method& method : methods())
            choices.push_back({method.declaration.id, {}});
        for (const auto& curve : costCurves(block(), choices, quick({65, 128})))
            for (const auto& row : curve.rows)
                QVERIFY2(std::isfinite(row.ms) == row.failure.empty(), (curve.method + ": " + row.failure).c_str());
    }
    void badInputIsRefused()
    {
        QVERIFY_EXCEPTION_THROWN(costCurves(block(), {}, quick({})), Error);
        QVERIFY_EXCEPTION_THROWN(costCurves(block(), {}, quick({0, 64})), Error);
        QVERIFY_EXCEPTION_THROWN(costCurves(block(), {}, quick({64, 64})), Error);
        const std::vector<CurveChoice> unknown{{"attention.none", {}}};
        QVERIFY_EXCEPTION_THROWN(costCurves(block(), unknown, quick({64})), Error);
        Inputs windows = block();
        windows.spec.window = 7;
        QVERIFY_EXCEPTION_THROWN(costCurves(windows, {}, quick({64})), Error);
    }
    void aStopIsHeardInside()
    {
        CostCurveSettings settings = quick({16384}); // seconds of work
        settings.secondsPerSize = 60;
        settings.slowestSeconds = 1e9;
        std::stop_source stop;
        std::chrono::steady_clock::time_point asked;
        std::jthread stopper([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(400));
            asked = std::chrono::steady_clock::now();
            stop.request_stop();
        });
        QVERIFY_EXCEPTION_THROWN(costCurves(block(), {}, settings, RunContext(stop.get_token())), Error);
        const auto heard = std::chrono::steady_clock::now();
        stopper.join();
        const double waited = std::chrono::duration<double>(heard - asked).count();
        QVERIFY2(waited < 0.5, qPrintable(QString::number(waited))); // 100 ms on an idle machine; tests share theirs
    }
};

QTEST_APPLESS_MAIN(TestCostCurve)
#include "tst_cost_curve.moc"
