// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/plan/latency_curve.h"
#include "core/plan/price.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <random>

using namespace tamis;
using namespace tamis::plan;

class TstLatencyCurve : public QObject
{
    Q_OBJECT
private slots:
    // The least-squares non-decreasing fit is max over a <= i of min over b >= i of mean(a .. b) (Robertson, Wright, Dykstra).
    void monotoneFitIsTheMinimaxOfMeans()
    {
        std::mt19937_64 random(1);
        std::uniform_real_distribution<> uniform(-1, 1);
        for (int trial = 0; trial < 200; ++trial) {
            std::vector<double> values(std::size_t(1 + trial % 17));
            for (std::size_t i = 0; i < values.size(); ++i)
                values[i] = uniform(random) + 0.1 * double(i);
            const auto fit = monotoneFit(values);
            QVERIFY(std::ranges::is_sorted(fit));
            for (std::size_t i = 0; i < values.size(); ++i) {
                double most = -1e9;
                for (std::size_t a = 0; a <= i; ++a) {
                    double least = 1e9, sum = 0;
                    for (std::size_t b = a; b < values.size(); ++b) {
                        sum += values[b];
                        if (b >= i)
                            least = std::min(least, sum / double(b - a + 1));
                    }
                    most = std::max(most, least);
                }
                QVERIFY(std::abs(fit[i] - most) < 1e-13); // means of at most 17 numbers below 3
            }
        }
        QVERIFY(monotoneFit({}).empty());
        QVERIFY((monotoneFit({1, 2, 3}) == std::vector<double>{1, 2, 3}));
    }
    // 100 GFLOP/s, 10 GB/s. Dense 64 x 32 at 1000 tokens: 4.096 MFLOP = 0.04096 ms; 4 (2048 + 96000) B = 0.0392192 ms.
    // Rank 4: first product 0.256 MFLOP, 4 (128 + 36000) B = 0.0144512 ms; second 4 (256 + 68000) B = 0.0273024 ms.
    void rooflineByHand()
    {
        const report::Ceilings ceilings{"test", 100, 10, false, ""};
        const auto curve = rooflineLatency(ceilings, Accounting::Factors, 64, 32, 1000);
        QVERIFY(std::abs(curve.dense - 0.04096) < 1e-12);
        QVERIFY(std::abs(curve.ms[4] - 0.0417536) < 1e-12);
        QCOMPARE(curve.ms.size(), std::size_t(largestUsefulRank(Accounting::Factors, 64, 32) + 1));
        QVERIFY(std::ranges::is_sorted(curve.ms));
        for (const auto accounting : {Accounting::BlockIdentity, Accounting::Remapped})
            QVERIFY(std::ranges::is_sorted(rooflineLatency(ceilings, accounting, 48, 96, 7).ms));
        QVERIFY_THROWS_EXCEPTION(Error, rooflineLatency({"none", 0, 10, false, ""}, Accounting::Factors, 64, 32, 8));
        QVERIFY_THROWS_EXCEPTION(Error, rooflineLatency(ceilings, Accounting::Factors, 64, 32, 0));
        // Rank 4 takes longer than dense here: no rank from there on is worth its time, whatever it saves in numbers.
        const Price price(Accounting::Factors, BudgetUnit::Latency, 64, 32, 4, &curve);
        QVERIFY(price.largestRank() < 4);
        QCOMPARE(price.dense(), std::int64_t(40960));
    }
    // Times themselves are the machine's; what holds on any: the shape of the curve, each operator measured once.
    void measuredCurves()
    {
        LatencyCache cache;
        const auto curve = measuredLatency(cache, Accounting::Factors, 96, 64, 32, 4);
        QCOMPARE(curve.ms.size(), std::size_t(largestUsefulRank(Accounting::Factors, 96, 64) + 1));
        QVERIFY(curve.dense > 0 && curve.ms.front() > 0 && std::ranges::is_sorted(curve.ms));
        QCOMPARE(cache.size(), std::size_t(5));
        report::SpectrumReport spectra;
        for (const char* name : {"a", "b", "c"}) {
            report::MatrixSpectrum s;
            s.name = name;
            s.rows = 96;
            s.cols = 64;
            s.compressible = *name != 'c';
            spectra.matrices.push_back(s);
        }
        const auto curves = measuredLatencies(spectra, Accounting::Factors, cache, {32});
        QCOMPARE(curves.size(), std::size_t(2));
        QVERIFY(curves.at("a") == curves.at("b"));
        QVERIFY_THROWS_EXCEPTION(Error, measuredLatency(cache, Accounting::Factors, 96, 64, 32, 1));
    }
    void curvesThatDoNotFitAreRefused()
    {
        const auto refused = [](LatencyCurve curve) {
            try {
                Price(Accounting::Factors, BudgetUnit::Latency, 16, 16, 4, &curve);
            } catch (const Error& error) {
                return error.code() == ErrorCode::InvalidParameter;
            }
            return false;
        };
        QVERIFY(!refused({2, std::vector<double>(8, 1.0)})); // useful ranks: 1 .. 7
        QVERIFY(refused({2, std::vector<double>(7, 1.0)}));
        QVERIFY(refused({2, {1, 1, 1, 1, 2, 1, 3, 4}}));
        QVERIFY(refused({std::nan(""), std::vector<double>(8, 1.0)}));
        QVERIFY(refused({2, std::vector<double>(8, -1.0)}));
    }
};

QTEST_GUILESS_MAIN(TstLatencyCurve)
#include "tst_latency_curve.moc"
