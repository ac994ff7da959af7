// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/functions.h"

#include <QtTest>

#include <cmath>
#include <vector>

using namespace tamis;
using kernels::Activation;

/// The float polynomials against libm in double, and the sums against plain loops.
class TstTrainFunctions : public QObject {
    Q_OBJECT

    static std::vector<float> points()
    {
        std::vector<float> x;
        for (int i = -4000; i <= 4000; ++i)
            x.push_back(static_cast<float>(i) * 0.005F); // -20 .. 20
        for (const float small : {1e-8F, 1e-5F, 1e-3F, 0.624999F, 0.625F, 85.0F})
            for (const float sign : {-1.0F, 1.0F})
                x.push_back(sign * small);
        return x;
    }

private slots:
    void activationsOfFloatsAreThoseOfDoubles_data()
    {
        QTest::addColumn<int>("kind");
        for (const Activation kind : {Activation::None, Activation::Gelu, Activation::GeluTanh, Activation::QuickGelu, Activation::Relu,
                                      Activation::Silu, Activation::Tanh})
            QTest::newRow(std::string(std::to_string(static_cast<int>(kind))).c_str()) << static_cast<int>(kind);
    }
    /// Polynomials of 4e-8 relative error and some four roundings of 6e-8 each on quantities of size max(1, |x|): 4e-7.
    void activationsOfFloatsAreThoseOfDoubles()
    {
        QFETCH(int, kind);
        const auto activation = static_cast<Activation>(kind);
        const std::vector<float> x = points();
        std::vector<double> z(x.begin(), x.end()), expected(z.size()), slope(z.size(), 2.0);
        std::vector<float> found(x.size()), foundSlope(x.size(), 2.0F);
        const auto count = static_cast<std::int64_t>(x.size());
        train::activate(activation, z.data(), expected.data(), count);
        train::activate(activation, x.data(), found.data(), count);
        train::activateBackward(activation, z.data(), slope.data(), count);
        train::activateBackward(activation, x.data(), foundSlope.data(), count);
        for (std::size_t i = 0; i < x.size(); ++i) {
            const double size = std::max(1.0, std::abs(z[i]));
            QVERIFY2(std::abs(found[i] - expected[i]) < 4e-7 * size, qPrintable(QString("value at %1: %2, expected %3").arg(x[i]).arg(found[i]).arg(expected[i])));
            QVERIFY2(std::abs(foundSlope[i] - slope[i]) < 2e-6 * size, qPrintable(QString("slope at %1: %2, expected %3").arg(x[i]).arg(foundSlope[i]).arg(slope[i])));
        }
        std::vector<float> inPlace = x;
        train::activate(activation, inPlace.data(), inPlace.data(), count);
        QVERIFY(inPlace == found);
    }

    void slopesInDoubleAreDifferenceQuotients()
    {
        for (const Activation kind : {Activation::Gelu, Activation::GeluTanh, Activation::QuickGelu, Activation::Silu, Activation::Tanh})
            for (double x = -6.0; x < 6.0; x += 0.37) {
                const double h = 1e-5;
                const double around[2] = {x - h, x + h};
                double value[2], slope = 1;
                train::activate(kind, around, value, 2);
                train::activateBackward(kind, &x, &slope, 1);
                QVERIFY(std::abs((value[1] - value[0]) / (2 * h) - slope) < 1e-9); // truncation and rounding: 1e-10 each
            }
    }

    void exponentialsOfRowsGiveProbabilities()
    {
        for (const int count : {1, 5, 31, 32, 33, 257}) {
            std::vector<float> row(static_cast<std::size_t>(count));
            std::vector<double> exact;
            double largest = -1e30, total = 0;
            for (std::size_t i = 0; i < row.size(); ++i) {
                row[i] = std::sin(static_cast<float>(i) * 1.7F) * 30;
                largest = std::max(largest, 0.25 * row[i]);
            }
            for (const float value : row) {
                exact.push_back(std::exp(0.25 * value - largest));
                total += exact.back();
            }
            std::vector<float> again = row;
            const auto sums = train::expShifted(row.data(), 0.25F, count);
            QVERIFY(std::abs(sums.maximum - largest) < 1e-6 * std::max(1.0, std::abs(largest)));
            QVERIFY(std::abs(sums.sum - total) < 1e-6 * total);
            train::expAgain(again.data(), 0.25F, sums.maximum + std::log(sums.sum), count);
            for (std::size_t i = 0; i < row.size(); ++i) {
                QVERIFY(std::abs(row[i] - exact[i]) < 1e-6);        // an exponent of up to 15 rounded to 5e-7, times exp <= 1
                QVERIFY(std::abs(again[i] - exact[i] / total) < 1e-6);
            }
        }
    }

    void notANumberStaysOne()
    {
        float row[3] = {1, std::nanf(""), 2};
        train::activate(Activation::Gelu, row, row, 3);
        QVERIFY(std::isnan(row[1]) && !std::isnan(row[0]) && !std::isnan(row[2]));
    }

    void sumsAreThoseOfPlainLoops()
    {
        for (const int count : {0, 1, 31, 32, 33, 100}) {
            std::vector<double> x, y;
            double sum = 0, dot = 0, squares = 0;
            for (int i = 0; i < count; ++i) {
                x.push_back(std::sin(i + 1.0));
                y.push_back(std::cos(3.0 * i));
                sum += x.back();
                dot += x.back() * y.back();
                squares += (x.back() - 0.5) * (x.back() - 0.5);
            }
            QVERIFY(std::abs(train::sum(x.data(), count) - sum) < 1e-13);
            QVERIFY(std::abs(train::dot(x.data(), y.data(), count) - dot) < 1e-13);
            QVERIFY(std::abs(train::squares(x.data(), 0.5, count) - squares) < 1e-13);
            if (count > 0)
                QCOMPARE(train::maximum(x.data(), count), *std::ranges::max_element(x));
        }
    }
};

QTEST_APPLESS_MAIN(TstTrainFunctions)
#include "tst_train_functions.moc"
