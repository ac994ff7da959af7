// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/accounting.h"

#include "core/base/error.h"

#include <QTest>

#include <random>

using namespace tamis;
using namespace tamis::plan;

class TstAccounting : public QObject
{
    Q_OBJECT
private slots:
    void publishedRanks_data()
    {
        QTest::addColumn<qint64>("m");
        QTest::addColumn<qint64>("n");
        QTest::addColumn<double>("keep");
        QTest::addColumn<qint64>("factors");
        QTest::addColumn<qint64>("blockIdentity");
        QTest::addColumn<qint64>("remapped");
        const auto row = [](qint64 m, qint64 n, double keep, qint64 f, qint64 b, qint64 r) {
            QTest::addRow("%lldx%lld at %g", m, n, keep) << m << n << keep << f << b << r;
            if (m != n)
                QTest::addRow("%lldx%lld at %g", n, m, keep) << n << m << keep << f << b << r;
        };
        row(4096, 4096, .9, 1843, 2800, 3686);
        row(4096, 4096, .8, 1638, 2264, 3276);
        row(4096, 4096, .6, 1228, 1505, 2457);
        row(4096, 4096, .4, 819, 923, 1638);
        row(4096, 11008, .8, 2388, 2973, 3276);
        row(4096, 11008, .6, 1791, 2076, 2457);
        row(4096, 11008, .4, 1194, 1307, 1638);
        row(1024, 4096, .8, 655, 771, 819);
        row(1024, 4096, .4, 327, 351, 409);
        row(4096, 14336, .8, 2548, 3054, 3276);
        row(4096, 14336, .6, 1911, 2165, 2457);
        row(4096, 14336, .4, 1274, 1377, 1638);
    }
    void publishedRanks()
    {
        QFETCH(qint64, m);
        QFETCH(qint64, n);
        QFETCH(double, keep);
        QTEST(qint64(rankForKeep(Accounting::Factors, m, n, keep)), "factors");
        QTEST(qint64(rankForKeep(Accounting::BlockIdentity, m, n, keep)), "blockIdentity");
        QTEST(qint64(rankForKeep(Accounting::Remapped, m, n, keep)), "remapped");
    }

    // cost(rank) <= budget < cost(rank + 1), for random shapes up to 2^26 a side and for keeps that hit a cost exactly.
    void theRankIsTheLargestThatFits()
    {
        std::mt19937_64 random(7);
        for (int trial = 0; trial < 20000; ++trial) {
            const auto side = [&] { return std::int64_t(std::exp2(std::uniform_real_distribution<>(0, 26)(random))); };
            const std::int64_t m = side(), n = side(), p = std::min(m, n);
            for (const auto a : {Accounting::Factors, Accounting::BlockIdentity, Accounting::Remapped}) {
                const std::int64_t dense = budgetUnitsDense(a, m, n);
                double keep = std::uniform_real_distribution<>(1e-6, 1)(random);
                if (trial % 2) { // exactly the cost of some rank
                    const auto r = std::uniform_int_distribution<std::int64_t>(0, largestUsefulRank(a, m, n))(random);
                    if (r == 0)
                        continue;
                    keep = double(budgetUnits(a, m, n, r)) / double(dense);
                    QCOMPARE(rankForKeep(a, m, n, keep), r);
                }
                const std::int64_t units = unitsForKeep(keep, dense), rank = rankForKeep(a, m, n, keep);
                QVERIFY(rank >= 0 && rank <= p);
                QVERIFY(budgetUnits(a, m, n, rank) <= units);
                QVERIFY(rank == p || budgetUnits(a, m, n, rank + 1) > units);
            }
        }
    }
    void decimalKeepsMeanWhatTheySay()
    {
        for (int percent = 1; percent <= 100; ++percent) // 0.29 * 100 is 28.999999999999996 in doubles
            QCOMPARE(unitsForKeep(percent / 100.0, 100), std::int64_t(percent));
        QCOMPARE(unitsForKeep(0.299, 100), std::int64_t(29));
        QCOMPARE(unitsForKeep(0.5, 0), std::int64_t(0));
    }
    void breakEven()
    {
        for (std::int64_t m = 1; m <= 24; ++m)
            for (std::int64_t n = 1; n <= 24; ++n)
                for (const auto a : {Accounting::Factors, Accounting::BlockIdentity, Accounting::Remapped}) {
                    const std::int64_t useful = largestUsefulRank(a, m, n), p = std::min(m, n), dense = budgetUnitsDense(a, m, n);
                    for (std::int64_t r = 0; r <= p; ++r)
                        QCOMPARE(budgetUnits(a, m, n, r) < dense, r <= useful);
                    if (a != Accounting::Factors) // never above dense
                        QCOMPARE(budgetUnits(a, m, n, p), dense);
                }
    }
    void costsOfAFormAreThoseOfItsArrays()
    {
        const std::int64_t m = 384, n = 128, r = 40;
        const auto factors = costOfRank(Accounting::Factors, m, n, r, 4);
        QCOMPARE(factors.parameters, std::uint64_t(m * r + r * n));
        QCOMPARE(factors.bytes, std::uint64_t(4 * (m * r + r * n)));
        QCOMPARE(factors.macs, factors.parameters);
        const auto block = costOfRank(Accounting::BlockIdentity, m, n, r, 2);
        QCOMPARE(block.parameters, std::uint64_t(m * r + r * (n - r))); // B and the coefficients
        QCOMPARE(block.bytes, std::uint64_t(2 * (m * r + r * (n - r)) + 8 * n));
        QCOMPARE(block.macs, block.parameters);
        const auto remapped = costOfRank(Accounting::Remapped, m, n, r, 4);
        QCOMPARE(remapped.parameters, std::uint64_t(r * (m + n)));
        QCOMPARE(remapped.bytes, std::uint64_t(1 * r * (128 + 128) + 2 * r * (384 - 128))); // 8 bits of 2 min, 16 of the rest
        QCOMPARE(remapped.macs, remapped.parameters);
        QCOMPARE(costDense(m, n, 4).bytes, std::uint64_t(4 * m * n));
        QVERIFY(costOfRank(Accounting::BlockIdentity, m, n, 0, 4).bytes == 0);
    }
    void refusals_data()
    {
        QTest::addColumn<int>("what");
        QTest::addColumn<QString>("contains");
        QTest::newRow("no keep") << 0 << "above 0";
        QTest::newRow("keep above one") << 1 << "at most 1";
        QTest::newRow("keep is NaN") << 2 << "above 0";
        QTest::newRow("no rows") << 3 << "found a matrix of 0 x 4";
        QTest::newRow("too large") << 4 << "2^52";
        QTest::newRow("rank beyond p") << 5 << "found rank 5";
        QTest::newRow("name") << 6 << "found 'svd', expected factors, block-identity or remapped";
    }
    void refusals()
    {
        QFETCH(int, what);
        QFETCH(QString, contains);
        try {
            switch (what) {
            case 0: rankForKeep(Accounting::Factors, 4, 4, 0); break;
            case 1: rankForKeep(Accounting::Factors, 4, 4, 1.0001); break;
            case 2: rankForKeep(Accounting::Factors, 4, 4, std::nan("")); break;
            case 3: rankForKeep(Accounting::Factors, 0, 4, 0.5); break;
            case 4: costDense(std::int64_t(1) << 40, std::int64_t(1) << 40, 4); break;
            case 5: costOfRank(Accounting::Factors, 4, 8, 5, 4); break;
            case 6: parseAccounting("svd"); break;
            }
            QFAIL("accepted");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::InvalidParameter);
            QVERIFY2(QString(error.what()).contains(contains), error.what());
        }
    }
    void namesRoundTrip()
    {
        for (const auto a : {Accounting::Factors, Accounting::BlockIdentity, Accounting::Remapped})
            QVERIFY(parseAccounting(accountingName(a)) == a);
    }
};

QTEST_GUILESS_MAIN(TstAccounting)
#include "tst_accounting.moc"
