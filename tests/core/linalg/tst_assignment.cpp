// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/assignment.h"

#include "core/base/error.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>

using namespace tamis;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The largest sum of exactly `pairs` pairs by trying all; -infinity: there are none.
static double bestByTrying(const tensor::Matrix<double>& values, std::int64_t pairs, std::int64_t row = 0, std::uint32_t taken = 0)
{
    if (pairs == 0)
        return 0;
    if (row == values.rows())
        return -kInfinity;
    double best = bestByTrying(values, pairs, row + 1, taken);
    for (std::int64_t column = 0; column < values.cols(); ++column)
        if (!(taken >> column & 1U))
            best = std::max(best, values(row, column) + bestByTrying(values, pairs - 1, row + 1, taken | 1U << column));
    return best;
}

static tensor::Matrix<double> randomValues(std::mt19937_64& random, std::int64_t rows, std::int64_t cols, int levels, double forbidden)
{
    tensor::Matrix<double> values(rows, cols);
    for (double& value : values.values()) {
        value = levels > 0 ? static_cast<double>(random() % static_cast<unsigned>(levels)) - levels / 2 : std::ldexp(static_cast<double>(random() >> 11U), -52) - 1;
        if (static_cast<double>(random() % 1000) < 1000 * forbidden)
            value = -kInfinity;
    }
    return values;
}

static void verifyAssigned(const tensor::Matrix<double>& values, const linalg::Assigned& found)
{
    std::set<std::int64_t> columns;
    double total = 0;
    for (std::int64_t row = 0; row < values.rows(); ++row)
        if (const std::int64_t column = found.columnOf[static_cast<std::size_t>(row)]; column >= 0) {
            QVERIFY(columns.insert(column).second);
            total += values(row, column);
        }
    QCOMPARE(static_cast<std::int64_t>(columns.size()), found.pairs);
    QCOMPARE(found.total, total); // the same sum in the same order
}

class TestAssignment : public QObject {
    Q_OBJECT
private slots:
    /// 600 small problems of every shape and number of pairs; whole numbers make many ties, -infinity makes pairs scarce. Sums of at most six
    /// values below 10 in double: 1e-12 is a thousand roundings.
    void isTheBestOfAll()
    {
        std::mt19937_64 random(5);
        for (int trial = 0; trial < 600; ++trial) {
            const auto rows = static_cast<std::int64_t>(1 + random() % 6), cols = static_cast<std::int64_t>(1 + random() % 6);
            const auto values = randomValues(random, rows, cols, trial % 2 == 0 ? 7 : 0, trial % 3 == 0 ? 0.5 : 0.0);
            for (std::int64_t pairs = 0; pairs <= std::max(rows, cols) + 1; ++pairs) {
                const linalg::Assigned found = linalg::bestAssignment(values.view(), pairs);
                verifyAssigned(values, found);
                if (QTest::currentTestFailed())
                    return;
                if (found.pairs < pairs) // then there are no more
                    QCOMPARE(bestByTrying(values, found.pairs + 1), -kInfinity);
                QVERIFY(std::abs(found.total - bestByTrying(values, found.pairs)) < 1e-12);
            }
        }
    }
    /// What one pair more adds never rises: best sums are concave in the number of pairs.
    void gainsOfOnePairMoreFall()
    {
        std::mt19937_64 random(11);
        const auto values = randomValues(random, 90, 70, 0, 0.02);
        double last = 0, gain = kInfinity;
        for (std::int64_t pairs = 1; pairs <= 70; ++pairs) {
            const linalg::Assigned found = linalg::bestAssignment(values.view(), pairs);
            verifyAssigned(values, found);
            if (QTest::currentTestFailed())
                return;
            QCOMPARE(found.pairs, pairs);
            QVERIFY(found.total - last <= gain + 1e-12);
            gain = found.total - last;
            last = found.total;
        }
        QVERIFY(gain < 0.999); // it did fall: values reach from -1 to 1
    }
    void rowsAndColumnsCanBeExchanged()
    {
        std::mt19937_64 random(3);
        const auto values = randomValues(random, 40, 25, 0, 0.1);
        tensor::Matrix<double> turned(25, 40);
        for (std::int64_t i = 0; i < 40; ++i)
            for (std::int64_t j = 0; j < 25; ++j)
                turned(j, i) = values(i, j);
        for (const std::int64_t pairs : {1, 7, 25})
            QVERIFY(std::abs(linalg::bestAssignment(values.view(), pairs).total - linalg::bestAssignment(turned.view(), pairs).total) < 1e-12);
    }
    void nothingToAssign()
    {
        const tensor::Matrix<double> none(0, 4), noColumn(3, 0);
        QCOMPARE(linalg::bestAssignment(none.view(), 2).pairs, 0);
        QCOMPARE(linalg::bestAssignment(noColumn.view(), 2).columnOf, (std::vector<std::int64_t>{-1, -1, -1}));
        tensor::Matrix<double> forbidden(2, 2);
        std::ranges::fill(forbidden.values(), -kInfinity);
        QCOMPARE(linalg::bestAssignment(forbidden.view(), 2).pairs, 0);
        QCOMPARE(linalg::bestAssignment(forbidden.view(), 2).total, 0.0);
    }
    void refusals()
    {
        tensor::Matrix<double> values(2, 2);
        QVERIFY_EXCEPTION_THROWN(linalg::bestAssignment(values.view(), -1), Error);
        values(1, 0) = std::numeric_limits<double>::quiet_NaN();
        QVERIFY_EXCEPTION_THROWN(linalg::bestAssignment(values.view(), 1), Error);
        values(1, 0) = kInfinity;
        QVERIFY_EXCEPTION_THROWN(linalg::bestAssignment(values.view(), 1), Error);
    }
};

QTEST_GUILESS_MAIN(TestAssignment)
#include "tst_assignment.moc"
