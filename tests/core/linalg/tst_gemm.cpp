// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/gemm.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/linalg/matrices.h"

using namespace tamis;
using namespace tamis::linalg;
using tensor::Matrix;

class TstGemm : public QObject
{
    Q_OBJECT
private slots:
    void productsAgreeWithThreeLoops_data()
    {
        QTest::addColumn<int>("m");
        QTest::addColumn<int>("k");
        QTest::addColumn<int>("n");
        QTest::newRow("one") << 1 << 1 << 1;
        QTest::newRow("row by column") << 1 << 17 << 1;
        QTest::newRow("outer") << 9 << 1 << 5;
        QTest::newRow("a tile and a bit") << 385 << 40 << 513;
        QTest::newRow("inner blocks") << 20 << 2100 << 30;
        QTest::newRow("nothing inside") << 4 << 0 << 3;
    }
    void productsAgreeWithThreeLoops()
    {
        QFETCH(int, m);
        QFETCH(int, k);
        QFETCH(int, n);
        const Matrix<double> a = test::gaussian(m, k, 1), b = test::gaussian(k, n, 2), c0 = test::gaussian(m, n, 3);
        const Matrix<double> at = test::transposed(a), bt = test::transposed(b);
        const Matrix<double> exact = test::multiply(a, b);
        // rounding of an inner product of k terms of size 1: k eps in the worst case, far less in the mean
        const double tolerance = 1e-15 * (k + 10) * 10;
        for (const bool transposeA : {false, true})
            for (const bool transposeB : {false, true}) {
                Matrix<double> c = c0;
                gemm(transposeA ? Op::Transpose : Op::None, transposeB ? Op::Transpose : Op::None, 2.0, (transposeA ? at : a).view(),
                     (transposeB ? bt : b).view(), -0.5, c.view());
                double worst = 0;
                for (std::int64_t i = 0; i < m; ++i)
                    for (std::int64_t j = 0; j < n; ++j)
                        worst = std::max(worst, std::abs(c(i, j) - (2.0 * exact(i, j) - 0.5 * c0(i, j))));
                QVERIFY2(worst < tolerance, qPrintable(QString::number(worst)));
            }
    }
    void betaZeroDoesNotReadTheTarget()
    {
        const Matrix<double> a = test::gaussian(3, 4, 1), b = test::gaussian(4, 5, 2);
        Matrix<double> c(3, 5);
        for (double& value : c.values())
            value = std::nan("");
        gemm(Op::None, Op::None, 1.0, a.view(), b.view(), 0.0, c.view());
        QVERIFY(test::maxAbs(test::difference(c, test::multiply(a, b))) < 1e-13);
    }
    void gramOfFloatsIsExactToDoubleRounding_data()
    {
        QTest::addColumn<int>("m");
        QTest::addColumn<int>("n");
        for (const auto& [m, n] : std::vector<std::pair<int, int>>{{1, 1}, {5, 900}, {900, 5}, {130, 70}, {1100, 40}, {40, 1100}})
            QTest::addRow("%d x %d", m, n) << m << n;
    }
    void gramOfFloatsIsExactToDoubleRounding()
    {
        QFETCH(int, m);
        QFETCH(int, n);
        const Matrix<float> a = test::gaussianFloat(m, n, 7);
        const Matrix<double> d = test::toDoubles(a);
        for (const Side side : {Side::Rows, Side::Columns}) {
            const Matrix<double> exact =
                side == Side::Rows ? test::multiply(d, test::transposed(d)) : test::multiply(test::transposed(d), d);
            QVERIFY(test::maxAbs(test::difference(gram(a.view(), side), exact)) < 1e-14 * (m + n));
            QVERIFY(test::maxAbs(test::difference(gram(d.view(), side), exact)) < 1e-14 * (m + n));
            const Matrix<double> upper = gramUpper(a.view(), side);
            double worst = 0;
            for (std::int64_t i = 0; i < upper.rows(); ++i)
                for (std::int64_t j = i; j < upper.cols(); ++j)
                    worst = std::max(worst, std::abs(upper(i, j) - exact(i, j)));
            QVERIFY(worst < 1e-14 * (m + n));
        }
    }
    void viewsWithAStrideAreRespected()
    {
        const Matrix<double> a = test::gaussian(8, 9, 1), b = test::gaussian(9, 7, 2);
        Matrix<double> c(8, 7);
        const ConstView left{a.data() + 9 + 2, 3, 4, 9}, right{b.data() + 2 * 7 + 1, 4, 5, 7};
        gemm(Op::None, Op::None, 1.0, left, right, 0.0, View{c.data() + 7, 3, 5, 7});
        for (std::int64_t i = 0; i < 8; ++i)
            for (std::int64_t j = 0; j < 7; ++j) {
                double expected = 0;
                if (i >= 1 && i < 4 && j < 5)
                    for (std::int64_t k = 0; k < 4; ++k)
                        expected += a(i, k + 2) * b(k + 2, j + 1);
                QVERIFY(std::abs(c(i, j) - expected) < 1e-14);
            }
    }
    void resultsDoNotDependOnTheNumberOfThreads()
    {
        const Matrix<double> a = test::gaussian(900, 1500, 1), b = test::gaussian(1500, 1100, 2);
        const Matrix<float> f = test::gaussianFloat(1300, 1500, 4);
        const Matrix<double> all = product(a.view(), b.view()), allGram = gram(f.view(), Side::Rows);
        const ThreadLimit one(1);
        QVERIFY(all == product(a.view(), b.view()));
        QVERIFY(allGram == gram(f.view(), Side::Rows));
    }
    void shapesThatDisagreeAreRefused()
    {
        const Matrix<double> a(3, 4), b(5, 6);
        QVERIFY_EXCEPTION_THROWN(product(a.view(), b.view()), Error);
        Matrix<double> c(3, 3);
        QVERIFY_EXCEPTION_THROWN(gemm(Op::None, Op::Transpose, 1, a.view(), a.view(), 0, View{c.data(), 2, 3, 3}), Error);
    }
    void aStopLeavesTheProduct()
    {
        std::stop_source source;
        source.request_stop();
        const Matrix<double> a(600, 600);
        try {
            product(a.view(), a.view(), RunContext(source.get_token()));
            QFAIL("not cancelled");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::Cancelled);
        }
    }
};

TAMIS_BLAS_TEST_MAIN(TstGemm)
#include "tst_gemm.moc"
