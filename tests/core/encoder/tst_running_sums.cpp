// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/running_sums.h"

#include <QTest>

#include <cmath>
#include <limits>
#include <random>

using namespace tamis;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
Matrix<float> drawn(std::int64_t rows, std::int64_t width, double mean, double deviation)
{
    std::mt19937 random(7);
    std::normal_distribution<double> draw(mean, deviation);
    Matrix<float> x(rows, width);
    for (float& value : x.values())
        value = static_cast<float>(draw(random));
    return x;
}

tensor::MatrixView<const float> part(const Matrix<float>& x, std::int64_t first, std::int64_t count) { return {x.data() + first * x.cols(), count, x.cols(), x.cols()}; }

/// In two passes and long double, whose 64 bits leave a double's 53 right.
double spreadOf(const Matrix<float>& x)
{
    long double total = 0;
    for (std::int64_t j = 0; j < x.cols(); ++j) {
        long double mean = 0, spread = 0;
        for (std::int64_t i = 0; i < x.rows(); ++i)
            mean += static_cast<long double>(x(i, j));
        mean /= static_cast<long double>(x.rows());
        for (std::int64_t i = 0; i < x.rows(); ++i)
            spread += (static_cast<long double>(x(i, j)) - mean) * (static_cast<long double>(x(i, j)) - mean);
        total += spread;
    }
    return static_cast<double>(total);
}
} // namespace

class TestRunningSums : public QObject {
    Q_OBJECT
private slots:
    void compensatedSumsKeepWhatIsSmall()
    {
        CompensatedSum sum;
        double plain = 1e16;
        sum.add(1e16);
        for (int i = 0; i < 1000; ++i) {
            sum.add(0.25);
            plain += 0.25;
        }
        sum.add(-1e16);
        QCOMPARE(sum.value(), 250.0);
        QCOMPARE(plain - 1e16, 0.0); // what a plain sum makes of it
    }
    /// Rounding of Welford's recurrence within 256 rows is at most some 256 eps sqrt(1 + mean^2 / variance): 1e-12 where the mean is no larger
    /// than the deviation, and 1e-9 where it is 10 000 times it, where sum x^2 - n mean^2 has no digit left.
    void spreadIsThatOfTwoPasses_data()
    {
        QTest::addColumn<double>("mean");
        QTest::addColumn<double>("tolerance");
        QTest::newRow("centred") << 0.0 << 1e-12;
        QTest::newRow("as large as the deviation") << 1.0 << 1e-12;
        QTest::newRow("far away") << 1e4 << 1e-9;
    }
    void spreadIsThatOfTwoPasses()
    {
        QFETCH(double, mean);
        QFETCH(double, tolerance);
        const Matrix<float> x = drawn(3000, 70, mean, 1);
        RowSpread spread(70);
        spread.add(x.view());
        const double expected = spreadOf(x);
        QVERIFY2(std::abs(spread.total() - expected) <= tolerance * expected, qPrintable(QString::number(spread.total() / expected - 1)));
        QCOMPARE(spread.rows(), std::int64_t{3000});
    }
    void piecesChangeNoBit()
    {
        const Matrix<float> x = drawn(1000, 65, 3, 1), y = drawn(1000, 65, 2.9, 1);
        RowSpread whole(65);
        whole.add(x.view());
        SquaredErrors errors;
        errors.add(x.view(), y.view());
        for (const std::int64_t piece : {1, 7, 256, 300}) {
            RowSpread spread(65);
            SquaredErrors some;
            for (std::int64_t first = 0; first < 1000; first += piece) {
                const std::int64_t count = std::min<std::int64_t>(piece, 1000 - first);
                spread.add(part(x, first, count));
                some.add(part(x, first, count), part(y, first, count));
            }
            QVERIFY(spread.total() == whole.total() && some.total() == errors.total());
        }
    }
    void rowsThatDoNotVaryHaveNoSpread()
    {
        Matrix<float> x(777, 3);
        for (std::int64_t i = 0; i < 777; ++i)
            x(i, 0) = 0.1F, x(i, 1) = -1e30F, x(i, 2) = 3;
        RowSpread spread(3);
        spread.add(x.view());
        QCOMPARE(spread.total(), 0.0);
        QCOMPARE(RowSpread(3).total(), 0.0);
        QVERIFY(unexplained(0, 0) == 0 && std::isinf(unexplained(1, 0)) && unexplained(1, 4) == 0.25);
    }
    void errorsAreSquaredDistances()
    {
        Matrix<float> x(2, 2), y(2, 2);
        x(0, 0) = 3, y(1, 1) = 4;
        SquaredErrors errors;
        errors.add(x.view(), y.view());
        QCOMPARE(errors.total(), 25.0);
    }
};

QTEST_GUILESS_MAIN(TestRunningSums)
#include "tst_running_sums.moc"
