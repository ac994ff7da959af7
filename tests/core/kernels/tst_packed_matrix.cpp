// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/packed_matrix.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "tests/core/kernels/reference.h"

#include <QTest>

using namespace tamis;
using namespace tamis::kernels;

class TestPackedMatrix : public QObject {
    Q_OBJECT
private slots:
    void cleanup() { forcePortableKernels(false); }
    void unpacksWhatWasPacked();
    void productAgreesWithDouble_data();
    void productAgreesWithDouble();
    void epilogueFollowsItsFormula_data();
    void epilogueFollowsItsFormula();
    void stridedViewsAreHonoured();
    void threadsDoNotChangeABit();
    void shapesAreChecked();
};

void TestPackedMatrix::unpacksWhatWasPacked()
{
    for (const auto& [rows, cols] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {33, 7}, {64, 300}, {100, 48}}) {
        const auto w = reference::randomMatrix(rows, cols, 3);
        QVERIFY(PackedMatrix(w.view()).unpack() == w);
    }
}

void TestPackedMatrix::productAgreesWithDouble_data()
{
    QTest::addColumn<bool>("portable");
    QTest::addColumn<int>("tokens");
    QTest::addColumn<int>("in");
    QTest::addColumn<int>("out");
    for (const bool portable : {false, true})
        for (const int tokens : {1, 2, 5, 13, 14, 15, 27, 197, 257})
            for (const auto& [in, out] : {std::pair{1, 1}, {48, 128}, {128, 384}, {255, 33}, {256, 31}, {257, 64}, {700, 300}})
                QTest::addRow("%s %dx%d to %d", portable ? "portable" : "best", tokens, in, out) << portable << tokens << in << out;
}

void TestPackedMatrix::productAgreesWithDouble()
{
    QFETCH(bool, portable);
    QFETCH(int, tokens);
    QFETCH(int, in);
    QFETCH(int, out);
    forcePortableKernels(portable);
    const auto x = reference::randomMatrix(tokens, in, 1), w = reference::randomMatrix(out, in, 2);
    tensor::Matrix<float> y(tokens, out);
    multiply(x.view(), PackedMatrix(w.view()), {}, y.view(), true);
    for (int i = 0; i < tokens; ++i)
        for (int j = 0; j < out; ++j) {
            double sum = 0, size = 0;
            for (int k = 0; k < in; ++k) {
                sum += double(x(i, k)) * w(j, k);
                size += std::abs(double(x(i, k)) * w(j, k));
            }
            // Higham: |error| <= n u sum|x||w|, u = 2^-24; observed errors are far below for random signs.
            const double bound = (in + 2) * 6e-8 * size + 1e-30;
            QVERIFY2(std::abs(y(i, j) - sum) <= bound, qPrintable(QString("(%1, %2): %3 instead of %4").arg(i).arg(j).arg(y(i, j)).arg(sum)));
        }
}

void TestPackedMatrix::epilogueFollowsItsFormula_data()
{
    QTest::addColumn<int>("activation");
    QTest::addColumn<bool>("portable");
    for (int a = 0; a <= int(Activation::Tanh); ++a)
        for (const bool portable : {false, true})
            QTest::addRow("%s %s", activationName(Activation(a)).data(), portable ? "portable" : "best") << a << portable;
}

void TestPackedMatrix::epilogueFollowsItsFormula()
{
    QFETCH(int, activation);
    QFETCH(bool, portable);
    forcePortableKernels(portable);
    const std::int64_t tokens = 31, in = 70, out = 77;
    const auto x = reference::randomMatrix(tokens, in, 1, 0.4f), w = reference::randomMatrix(out, in, 2, 0.4f);
    const auto bias = reference::randomMatrix(1, out, 3), scale = reference::randomMatrix(1, out, 4);
    const auto factor = reference::randomMatrix(tokens, out, 5), base = reference::randomMatrix(tokens, out, 6);
    const PackedMatrix packed(w.view());
    for (int parts = 0; parts < 16; ++parts) { // every combination of bias, factor, scale and base
        Epilogue e;
        e.activation = Activation(activation);
        if (parts & 1)
            e.bias = bias.data();
        if (parts & 2)
            e.factor = factor.view();
        if (parts & 4)
            e.scale = scale.data();
        if (parts & 8)
            e.base = base.view();
        tensor::Matrix<float> y(tokens, out);
        multiply(x.view(), packed, e, y.view(), true);
        for (std::int64_t i = 0; i < tokens; ++i)
            for (std::int64_t j = 0; j < out; ++j) {
                double v = 0;
                for (std::int64_t k = 0; k < in; ++k)
                    v += double(x(i, k)) * w(j, k);
                v = reference::activate(e.activation, v + (e.bias ? bias(0, j) : 0));
                v = v * (e.factor.data ? factor(i, j) : 1) * (e.scale ? scale(0, j) : 1) + (e.base.data ? base(i, j) : 0);
                // products of 70 terms of size 0.16 and functions good to 5e-7: 2e-5 leaves a factor of 4
                QVERIFY2(std::abs(y(i, j) - v) <= 2e-5 * (1 + std::abs(v)), qPrintable(QString("parts %1: %2, expected %3").arg(parts).arg(y(i, j)).arg(v)));
            }
    }
}

void TestPackedMatrix::stridedViewsAreHonoured()
{
    const auto wide = reference::randomMatrix(20, 100, 1), w = reference::randomMatrix(40, 30, 2);
    tensor::Matrix<float> out(20, 90), expected(20, 40), copy(20, 30);
    for (std::int64_t i = 0; i < 20; ++i)
        for (std::int64_t j = 0; j < 30; ++j)
            copy(i, j) = wide(i, 50 + j);
    multiply(copy.view(), PackedMatrix(w.view()), {}, expected.view(), false);
    multiply(ConstRows{wide.data() + 50, 20, 30, 100}, PackedMatrix(w.view()), {}, Rows{out.data() + 7, 20, 40, 90}, false);
    for (std::int64_t i = 0; i < 20; ++i)
        for (std::int64_t j = 0; j < 90; ++j)
            QCOMPARE(out(i, j), j >= 7 && j < 47 ? expected(i, j - 7) : 0.0f);
}

void TestPackedMatrix::threadsDoNotChangeABit()
{
    const auto x = reference::randomMatrix(301, 600, 1), w = reference::randomMatrix(420, 600, 2);
    const PackedMatrix packed(w.view());
    tensor::Matrix<float> alone(301, 420), together(301, 420);
    multiply(x.view(), packed, {}, alone.view(), false);
    multiply(x.view(), packed, {}, together.view(), true);
    QVERIFY(alone == together);
}

void TestPackedMatrix::shapesAreChecked()
{
    const auto x = reference::randomMatrix(3, 4, 1), w = reference::randomMatrix(5, 6, 2);
    tensor::Matrix<float> y(3, 5);
    QVERIFY_THROWS_EXCEPTION(Error, multiply(x.view(), PackedMatrix(w.view()), {}, y.view(), false));
}

QTEST_APPLESS_MAIN(TestPackedMatrix)
#include "tst_packed_matrix.moc"
