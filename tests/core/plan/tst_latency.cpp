// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/latency.h"

#include "core/base/error.h"

#include <QTest>

#include <cmath>
#include <thread>

using namespace tamis;
using namespace tamis::plan;

namespace {
report::SpectrumReport twoMatrices()
{
    report::SpectrumReport spectra;
    for (const char* name : {"a", "b", "table"}) {
        report::MatrixSpectrum s;
        s.name = name;
        s.rows = 192;
        s.cols = 128;
        s.compressible = s.name != "table";
        spectra.matrices.push_back(s);
    }
    return spectra;
}
report::BudgetReport budgetOf(const report::SpectrumReport& spectra)
{
    report::BudgetReport budget;
    budget.accounting = "block-identity";
    for (const auto& s : spectra.matrices)
        budget.matrices.push_back({.name = s.name, .rank = 128, .dense = true});
    budget.matrices[1].rank = 24;
    budget.matrices[1].dense = false;
    return budget;
}
} // namespace

class TstLatency : public QObject
{
    Q_OBJECT
private slots:
    void measuresOnceAndRemembers()
    {
        LatencyCache cache;
        const double first = cache.milliseconds({64, 96, 0, "dense", 100});
        QVERIFY(std::isfinite(first) && first > 0);
        QCOMPARE(cache.milliseconds({64, 96, 17, "dense", 100}), first); // a rank means nothing to a dense operator
        QCOMPARE(cache.size(), std::size_t(1));
        const double factors = cache.milliseconds({64, 96, 8, "factors", 100});
        QCOMPARE(cache.milliseconds({64, 96, 8, "remapped", 100}), factors); // runs as two factors
        QVERIFY(cache.milliseconds({64, 96, 8, "block-identity", 100}) > 0);
        QVERIFY(cache.milliseconds({64, 96, 64, "block-identity", 1}) > 0); // full rank: [out, r] and n - r columns left
        QVERIFY(cache.milliseconds({96, 64, 64, "block-identity", 1}) > 0); // no columns left
        QCOMPARE(cache.size(), std::size_t(5));
    }
    // 1 GMAC against 10 MMAC (and a gather of 1024 inputs a token): two orders of magnitude of arithmetic, so that a factor
    // of 4 holds on a busy machine and under sanitizers.
    void aTinyRankIsFasterThanDense()
    {
        LatencyCache cache;
        const double dense = cache.milliseconds({4096, 1024, 0, "dense", 256});
        for (const char* layout : {"factors", "block-identity"}) {
            const double low = cache.milliseconds({4096, 1024, 8, layout, 256});
            QVERIFY2(4 * low < dense, qPrintable(QString("%1 ms against %2 ms dense").arg(low).arg(dense)));
        }
    }
    void fillsTheReport()
    {
        const auto spectra = twoMatrices();
        auto budget = budgetOf(spectra);
        LatencyCache cache;
        measureLatency(budget, spectra, cache, {.tokens = 64}, {});
        QCOMPARE(budget.latencyTokens, std::uint64_t(64));
        const double dense = cache.milliseconds({192, 128, 0, "dense", 64});
        QCOMPARE(budget.matrices[0].cost.latencyMs, dense);
        QCOMPARE(budget.matrices[1].cost.latencyMs, cache.milliseconds({192, 128, 24, "block-identity", 64}));
        QVERIFY(std::isnan(budget.matrices[2].cost.latencyMs)); // a lookup
        QCOMPARE(budget.before.latencyMs, 2 * dense);
        QCOMPARE(budget.after.latencyMs, dense + budget.matrices[1].cost.latencyMs);
        QCOMPARE(cache.size(), std::size_t(2));
    }
    void aStopLeavesTheReportAsItWas()
    {
        const auto spectra = twoMatrices();
        auto budget = budgetOf(spectra);
        LatencyCache cache;
        std::stop_source source;
        source.request_stop();
        try {
            measureLatency(budget, spectra, cache, {}, RunContext(source.get_token()));
            QFAIL("went on");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::Cancelled);
        }
        QVERIFY(std::isnan(budget.before.latencyMs) && budget.latencyTokens == 0 && cache.size() == 0);
    }
    void threadsShareOneCache()
    {
        LatencyCache cache;
        std::vector<double> seen(8);
        std::vector<std::thread> threads;
        for (std::size_t i = 0; i < seen.size(); ++i)
            threads.emplace_back([&, i] { seen[i] = cache.milliseconds({48, 48, std::int64_t(1 + i % 2), "factors", 16}); });
        for (auto& thread : threads)
            thread.join();
        QCOMPARE(cache.size(), std::size_t(2));
        for (std::size_t i = 2; i < seen.size(); ++i)
            QCOMPARE(seen[i], seen[i % 2]);
    }
    void refusals()
    {
        LatencyCache cache;
        const LatencyKey wrong[] = {{0, 4, 1, "factors", 4}, {4, 4, 5, "factors", 4}, {4, 4, 0, "factors", 4},
                                    {4, 4, 1, "tucker", 4},  {4, 4, 1, "factors", 0}, {4, 4, 1, "factors", 1 << 20}};
        for (const auto& key : wrong)
            try {
                cache.milliseconds(key);
                QFAIL("measured");
            } catch (const Error& error) {
                QVERIFY(error.code() == ErrorCode::InvalidParameter);
            }
        QCOMPARE(cache.size(), std::size_t(0));
    }
};

QTEST_GUILESS_MAIN(TstLatency)
#include "tst_latency.moc"
