// SPDX-License-Identifier: GPL-3.0-or-later
// Solves against the products that they undo, over sides below, at and beyond the block, in threads and without.
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/linalg/triangular_solve.h"
#include "core/linalg/whitening.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/linalg/matrices.h"

#include <cmath>
#include <limits>

using namespace tamis;
using namespace tamis::linalg;
using tensor::Matrix;

namespace {
/// Well conditioned; above the diagonal stands what must not be read.
Matrix<double> root(std::int64_t n)
{
    Matrix<double> l = test::gaussian(n, n, 5);
    for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = 0; j < n; ++j)
            l(i, j) = j > i ? std::numeric_limits<double>::quiet_NaN() : j == i ? 2.0 + std::abs(l(i, j)) : l(i, j) / std::sqrt(double(n));
    return l;
}
Matrix<double> lower(Matrix<double> l)
{
    for (std::int64_t i = 0; i < l.rows(); ++i)
        for (std::int64_t j = i + 1; j < l.cols(); ++j)
            l(i, j) = 0;
    return l;
}
} // namespace

class TestTriangularSolve : public QObject {
    Q_OBJECT
private slots:
    void undoesTheProduct_data()
    {
        QTest::addColumn<int>("n");
        QTest::addColumn<int>("k");
        for (const auto& [n, k] : std::vector<std::pair<int, int>>{{1, 1}, {5, 3}, {192, 7}, {193, 1030}, {600, 40}, {9, 0}})
            QTest::addRow("%d, %d", n, k) << n << k;
    }
    /// The condition of the triangle is below 10: rounding alone, some n eps, remains.
    void undoesTheProduct()
    {
        QFETCH(int, n);
        QFETCH(int, k);
        const Matrix<double> l = root(n), clean = lower(l);
        const Matrix<double> left = test::gaussian(n, k, 1), right = test::gaussian(k, n, 2);
        for (const Op op : {Op::None, Op::Transpose}) {
            Matrix<double> x = product(op, Op::None, clean.view(), left.view());
            solveLeft(op, l.view(), x.view());
            QVERIFY(k == 0 || test::maxAbs(test::difference(x, left)) < 1e-11);
            Matrix<double> y = product(Op::None, op, right.view(), clean.view());
            solveRight(op, l.view(), y.view());
            QVERIFY(k == 0 || test::maxAbs(test::difference(y, right)) < 1e-11);
        }
    }
    void doesNotDependOnThreads()
    {
        const Matrix<double> l = root(500), start = test::gaussian(700, 500, 3);
        Matrix<double> several = start, one = start;
        solveRight(Op::Transpose, l.view(), several.view());
        const ThreadLimit limit(1);
        solveRight(Op::Transpose, l.view(), one.view());
        QVERIFY(several == one);
    }
    void refusesOtherSidesAndStops()
    {
        Matrix<double> x(4, 5);
        QVERIFY_EXCEPTION_THROWN(solveLeft(Op::None, root(5).view(), x.view()), Error);
        QVERIFY_EXCEPTION_THROWN(solveRight(Op::None, root(4).view(), x.view()), Error);
        std::stop_source source;
        source.request_stop();
        Matrix<double> y(5, 5);
        QVERIFY_EXCEPTION_THROWN(solveRight(Op::None, root(5).view(), y.view(), RunContext(source.get_token())), Error);
    }
};

TAMIS_BLAS_TEST_MAIN(TestTriangularSolve)
#include "tst_triangular_solve.moc"
