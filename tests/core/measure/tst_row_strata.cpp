// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/row_strata.h"

#include "core/base/error.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <set>

using namespace tamis;
using measure::HeldOutSplit;
using measure::keptRows;

class TstRowStrata : public QObject
{
    Q_OBJECT
private slots:
    void oneSampleOfEveryStratumIsHeldOut()
    {
        const HeldOutSplit split(200, 0.2, 7);
        QCOMPARE(split.heldOutCount(), 40u);
        QCOMPARE(split.calibrationCount(), 160u);
        std::size_t heldOut = 0, kept = 0;
        for (std::size_t i = 0; i < 200; ++i) {
            QCOMPARE(split.ordinal(i), split.heldOut(i) ? heldOut : kept);
            (split.heldOut(i) ? heldOut : kept) += 1;
            if (i % 5 == 4)
                QCOMPARE(heldOut, i / 5 + 1); // one in every five
        }
    }

    void theSeedChoosesWithinStrata()
    {
        const auto chosen = [](std::uint64_t seed) {
            const HeldOutSplit split(100, 0.1, seed);
            std::vector<bool> flags;
            for (std::size_t i = 0; i < 100; ++i)
                flags.push_back(split.heldOut(i));
            return flags;
        };
        QVERIFY(chosen(1) == chosen(1));
        QVERIFY(chosen(1) != chosen(2));
    }

    void smallAndImpossibleFractions()
    {
        QCOMPARE(HeldOutSplit(10, 0, 1).heldOutCount(), 0u);
        QCOMPARE(HeldOutSplit(10, 0.001, 1).heldOutCount(), 1u);
        for (const auto& [count, fraction] : {std::pair<std::size_t, double>{1, 0.1}, {10, 0.99}, {10, 1.0}, {10, -0.1}, {10, NAN}, {0, 0.0}}) {
            bool refused = false;
            try {
                const HeldOutSplit split(count, fraction, 1);
            } catch (const Error& error) {
                refused = error.code() == ErrorCode::InvalidParameter;
            }
            QVERIFY2(refused, qPrintable(QString("%1 of %2").arg(fraction).arg(count)));
        }
    }

    void rowsAreSharedEqually_data()
    {
        QTest::addColumn<int>("samples");
        QTest::addColumn<int>("rows");
        QTest::addColumn<int>("tokens");
        QTest::addColumn<int>("total"); ///< rows that come out: fewer when samples are too short
        QTest::newRow("less than one each") << 160 << 128 << 257 << 128;
        QTest::newRow("several each") << 160 << 1000 << 257 << 1000;
        QTest::newRow("one token each") << 160 << 128 << 1 << 128;
        QTest::newRow("more than there are") << 10 << 100 << 3 << 30;
        QTest::newRow("none") << 10 << 0 << 3 << 0;
    }
    void rowsAreSharedEqually()
    {
        QFETCH(int, samples);
        QFETCH(int, rows);
        QFETCH(int, tokens);
        QFETCH(int, total);
        const measure::RowQuota quota{static_cast<std::size_t>(samples), static_cast<std::uint64_t>(rows), 5};
        std::size_t least = SIZE_MAX, most = 0, sum = 0;
        for (std::size_t i = 0; i < quota.samples; ++i) {
            const auto kept = keptRows(quota, i, tokens);
            QVERIFY(std::ranges::is_sorted(kept));
            QCOMPARE(std::set<std::int64_t>(kept.begin(), kept.end()).size(), kept.size());
            QVERIFY(std::ranges::all_of(kept, [&](std::int64_t row) { return row >= 0 && row < tokens; }));
            least = std::min(least, kept.size());
            most = std::max(most, kept.size());
            sum += kept.size();
        }
        QCOMPARE(sum, static_cast<std::size_t>(total));
        QVERIFY(most - least <= 1);
    }

    /// The positions of all rows fill [0, tokens) evenly: in every tenth of it the share of the rows is a tenth.
    void positionsAreSpreadEvenly_data()
    {
        QTest::addColumn<int>("samples");
        QTest::addColumn<int>("rows");
        QTest::newRow("one row a sample") << 1000 << 1000;
        QTest::newRow("every other sample") << 2000 << 1000;
        QTest::newRow("three rows a sample") << 400 << 1200;
    }
    void positionsAreSpreadEvenly()
    {
        QFETCH(int, samples);
        QFETCH(int, rows);
        for (const std::uint64_t seed : {0u, 1u, 99u}) {
            const measure::RowQuota quota{static_cast<std::size_t>(samples), static_cast<std::uint64_t>(rows), seed};
            std::vector<int> tenths(10);
            for (std::size_t i = 0; i < quota.samples; ++i)
                for (const std::int64_t row : keptRows(quota, i, 1000))
                    ++tenths[static_cast<std::size_t>(row / 100)];
            // The discrepancy of N golden-ratio points is below (2 + ln N) / N: some ten rows of 1,000 where independent
            // draws would scatter by 10 in one standard deviation and by 30 in ten cells.
            for (const int count : tenths)
                QVERIFY2(std::abs(count - rows / 10) <= 10, qPrintable(QString::number(count)));
        }
    }
};

QTEST_APPLESS_MAIN(TstRowStrata)
#include "tst_row_strata.moc"
