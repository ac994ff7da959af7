// SPDX-License-Identifier: GPL-3.0-or-later
// QR, pivoted QR, block identity, square roots of statistics, singular values, randomised range finder.
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/linalg/block_identity.h"
#include "core/linalg/gemm.h"
#include "core/linalg/qr.h"
#include "core/linalg/randomised_svd.h"
#include "core/linalg/singular_values.h"
#include "core/linalg/whitening.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/linalg/matrices.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace tamis;
using namespace tamis::linalg;
using tensor::Matrix;

namespace {
double relativeDifference(const Matrix<double>& a, const Matrix<double>& b)
{
    return std::sqrt(test::sumOfSquares(test::difference(a, b)) / std::max(test::sumOfSquares(b), 1e-300));
}
Matrix<double> covariance(std::int64_t n, std::int64_t tokens, std::uint64_t seed)
{
    return gram(test::gaussian(tokens, n, seed).view(), Side::Columns);
}
} // namespace

class TstDecompositions : public QObject
{
    Q_OBJECT
private slots:
    void thinQrRebuildsTheMatrix_data()
    {
        QTest::addColumn<int>("m");
        QTest::addColumn<int>("n");
        for (const auto& [m, n] : std::vector<std::pair<int, int>>{{1, 1}, {9, 1}, {33, 33}, {200, 65}, {500, 300}, {40, 0}})
            QTest::addRow("%d x %d", m, n) << m << n;
    }
    void thinQrRebuildsTheMatrix()
    {
        QFETCH(int, m);
        QFETCH(int, n);
        const Matrix<double> a = test::gaussian(m, n, 3);
        const ThinQr qr = thinQr(a.view());
        QVERIFY(relativeDifference(product(qr.q.view(), qr.r.view()), a) < 1e-13);
        QVERIFY(test::maxAbs(test::difference(gram(qr.q.view(), Side::Columns), test::identity(n))) < 1e-13);
        for (std::int64_t i = 0; i < n; ++i)
            for (std::int64_t j = 0; j < i; ++j)
                QCOMPARE(qr.r(i, j), 0.0);
        QVERIFY(qr.r == thinQrTriangle(a.view()));
    }
    void thinQrOfARankDeficientMatrixStillSpansItsRange()
    {
        const Matrix<double> a = test::multiply(test::gaussian(80, 5, 1), test::gaussian(5, 30, 2));
        const ThinQr qr = thinQr(a.view());
        QVERIFY(test::maxAbs(test::difference(gram(qr.q.view(), Side::Columns), test::identity(30))) < 1e-13);
        QVERIFY(relativeDifference(product(qr.q.view(), product(Op::Transpose, Op::None, qr.q.view(), a.view()).view()), a) < 1e-13);
    }
    void aWideMatrixHasNoThinQr() { QVERIFY_EXCEPTION_THROWN(thinQr(Matrix<double>(2, 3).view()), Error); }
    void pivotedQrOrdersItsDiagonalAndFindsTheRank()
    {
        const Matrix<double> a = test::multiply(test::gaussian(60, 13, 1), test::gaussian(13, 90, 2));
        const PivotedQr qr = pivotedQr(a.view());
        QCOMPARE(qr.rank, std::int64_t{13});
        std::vector<std::int64_t> sorted = qr.permutation;
        std::ranges::sort(sorted);
        Matrix<double> permuted(60, 90);
        for (std::int64_t j = 0; j < 90; ++j) {
            QCOMPARE(sorted[static_cast<std::size_t>(j)], j);
            for (std::int64_t i = 0; i < 60; ++i)
                permuted(i, j) = a(i, qr.permutation[static_cast<std::size_t>(j)]);
        }
        for (std::int64_t i = 1; i < 60; ++i)
            QVERIFY(std::abs(qr.r(i, i)) <= std::abs(qr.r(i - 1, i - 1)) * (1 + 1e-10) + 1e-12);
        // (A P)^T (A P) = R^T R
        QVERIFY(relativeDifference(gram(qr.r.view(), Side::Columns), gram(permuted.view(), Side::Columns)) < 1e-12);
    }
    void blockIdentityKeepsTheProductAndSavesTheBlock()
    {
        const std::int64_t m = 40, n = 70, r = 12;
        const Matrix<double> b = test::gaussian(m, r, 1), a = test::gaussian(r, n, 2);
        const BlockIdentity joined = toBlockIdentity(b, a);
        QCOMPARE(joined.b.rows() * joined.b.cols() + joined.coefficients.rows() * joined.coefficients.cols(), r * (m + n) - r * r);
        Matrix<double> rebuilt(r, n);
        for (std::int64_t i = 0; i < r; ++i)
            for (std::int64_t j = 0; j < n; ++j)
                rebuilt(i, joined.permutation[static_cast<std::size_t>(j)]) = j < r ? (i == j ? 1.0 : 0.0) : joined.coefficients(i, j - r);
        QVERIFY(relativeDifference(test::multiply(joined.b, rebuilt), test::multiply(b, a)) < 1e-12);
        QVERIFY(joined.condition >= 1 && joined.condition < 1e4);
        QVERIFY(joined.maxCoefficient < 50); // pivoting keeps them small
        double largest = 0;
        for (const double value : joined.coefficients.values())
            largest = std::max(largest, std::abs(value));
        QCOMPARE(joined.maxCoefficient, largest);
        // the first r columns as they come are a worse block for this matrix
        Matrix<double> leading(r, r), chosen(r, r);
        for (std::int64_t i = 0; i < r; ++i)
            for (std::int64_t j = 0; j < r; ++j) {
                leading(i, j) = a(i, j);
                chosen(i, j) = a(i, joined.permutation[static_cast<std::size_t>(j)]);
            }
        const std::vector<double> s = singularValues(leading.view()), t = singularValues(chosen.view());
        QVERIFY(t.front() / t.back() < s.front() / s.back());
        QVERIFY(std::abs(joined.condition - t.front() / t.back()) < 1e-6 * joined.condition);
    }
    void blockIdentityOfFullRankAndOfNothing()
    {
        const BlockIdentity full = toBlockIdentity(test::gaussian(6, 5, 1), test::gaussian(5, 5, 2));
        QCOMPARE(full.coefficients.cols(), std::int64_t{0});
        QCOMPARE(full.maxCoefficient, 0.0);
        QCOMPARE(toBlockIdentity(Matrix<double>(6, 0), Matrix<double>(0, 5)).permutation.size(), std::size_t{5});
    }
    void blockIdentityRefusesWhatHasNoBlock()
    {
        const Matrix<double> low = test::multiply(test::gaussian(6, 3, 1), test::gaussian(3, 20, 2));
        QVERIFY_EXCEPTION_THROWN(toBlockIdentity(test::gaussian(9, 6, 3), low), Error);
        QVERIFY_EXCEPTION_THROWN(toBlockIdentity(Matrix<double>(9, 5), Matrix<double>(6, 20)), Error);
        QVERIFY_EXCEPTION_THROWN(toBlockIdentity(Matrix<double>(9, 6), Matrix<double>(6, 4)), Error);
    }
    void bothRootsGiveTheStatisticsBack()
    {
        for (const std::int64_t n : {1, 5, 130, 300, 1100}) {
            const Matrix<double> c = covariance(n, 2 * n + 3, 11);
            const auto l = choleskyRoot(c);
            QVERIFY(l.has_value());
            QVERIFY(relativeDifference(gram(l->view(), Side::Rows), c) < 1e-13);
            for (std::int64_t i = 0; i < std::min<std::int64_t>(n, 200); ++i)
                for (std::int64_t j = i + 1; j < std::min<std::int64_t>(n, 200); ++j)
                    QCOMPARE((*l)(i, j), 0.0);
            if (n <= 300)
                QVERIFY(relativeDifference(gram(eigenRoot(c).view(), Side::Rows), c) < 1e-13);
        }
    }
    void singularStatisticsAreReportedAndStillHaveAnEigenRoot()
    {
        const Matrix<double> c = covariance(40, 15, 4);
        QVERIFY(!choleskyRoot(c).has_value());
        const Matrix<double> root = eigenRoot(c);
        QCOMPARE(root.cols(), std::int64_t{15});
        QVERIFY(relativeDifference(gram(root.view(), Side::Rows), c) < 1e-12);
        const GramCondition condition = gramCondition(c);
        QCOMPARE(condition.rank, std::int64_t{15});
        QVERIFY(condition.condition > 1e12);
        QVERIFY(choleskyRoot(withRidge(c, 1e-3 * condition.meanDiagonal)).has_value());
        QCOMPARE(gramCondition(Matrix<double>(5, 5)).rank, std::int64_t{0});
    }
    void conditionOfADiagonalIsItsRatio()
    {
        Matrix<double> c = test::identity(6);
        c(2, 2) = 100;
        c(4, 4) = 0.5;
        QVERIFY(std::abs(gramCondition(c).condition - 200) < 1e-10);
        QVERIFY(std::abs(gramCondition(c).meanDiagonal - 104.5 / 6) < 1e-12);
    }
    void singularValuesAreThoseThatWerePutIn_data()
    {
        QTest::addColumn<int>("m");
        QTest::addColumn<int>("n");
        for (const auto& [m, n] : std::vector<std::pair<int, int>>{{1, 1}, {1, 50}, {50, 1}, {40, 90}, {90, 40}, {64, 64}})
            QTest::addRow("%d x %d", m, n) << m << n;
    }
    void singularValuesAreThoseThatWerePutIn()
    {
        QFETCH(int, m);
        QFETCH(int, n);
        std::vector<double> values;
        for (int i = 0; i < std::min(m, n); ++i)
            values.push_back(std::pow(10.0, -4.0 * i / std::max(1, std::min(m, n) - 1)) * 3);
        const Matrix<double> a = test::withSingularValues(m, n, values, 5);
        const std::vector<double> found = singularValues(a.view());
        QCOMPARE(found.size(), values.size());
        // eps (s_1/s)^2 relative: 1e-8 at 1e-4 of the largest, times the growth of n terms
        for (std::size_t i = 0; i < found.size(); ++i)
            QVERIFY2(std::abs(found[i] - values[i]) < 1e-6 * values[i], qPrintable(QString::number(found[i] / values[i] - 1)));
    }
    void singularValuesOfFloatsEqualThoseOfTheSameDoubles()
    {
        const Matrix<float> f = test::gaussianFloat(120, 300, 6);
        const std::vector<double> a = singularValues(f.view()), b = singularValues(test::toDoubles(f).view());
        for (std::size_t i = 0; i < a.size(); ++i)
            QVERIFY(std::abs(a[i] - b[i]) < 1e-12 * a[0]);
    }
    void zeroAndRankDeficientMatricesHaveZeros()
    {
        for (const double value : singularValues(Matrix<float>(7, 30).view()))
            QCOMPARE(value, 0.0);
        const std::vector<double> s = singularValues(test::multiply(test::gaussian(30, 4, 1), test::gaussian(4, 50, 2)).view());
        QVERIFY(s[3] > 1);
        QVERIFY(s[4] < 1e-6 * s[0]); // the floor of the method: sqrt(p eps) s_1
        QVERIFY(singularValues(Matrix<float>(0, 5).view()).empty());
    }
    void randomisedValuesComeFromBelowAndTheBoundHolds()
    {
        std::vector<double> values;
        for (int i = 0; i < 80; ++i)
            values.push_back(std::pow(static_cast<double>(i + 1), -0.7));
        const Matrix<double> a = test::withSingularValues(80, 120, values, 3);
        const Matrix<double> k = gram(a.view(), Side::Rows);
        const PsdOperator apply = [&](ConstView x) { return product(k.view(), x); };
        const RandomisedEigen found = randomisedEigen(80, apply, {.rank = 10, .oversampling = 5, .powerIterations = 2, .seed = 4});
        QCOMPARE(found.values.size(), std::size_t{10});
        for (std::size_t i = 0; i < 10; ++i) {
            QVERIFY(std::sqrt(found.values[i]) <= values[i] * (1 + 1e-9));
            QVERIFY(std::sqrt(found.values[i]) > values[i] * 0.9);
        }
        const Matrix<double> overlap = gram(found.vectors.view(), Side::Rows);
        QVERIFY(test::maxAbs(test::difference(overlap, test::identity(10))) < 1e-12);
        QVERIFY(found.residualNorm >= values[15]); // no 15 directions do better than s_16
        QVERIFY(found.residualNorm < 40 * values[15]);
        const RandomisedEigen again = randomisedEigen(80, apply, {.rank = 10, .oversampling = 5, .powerIterations = 2, .seed = 4});
        QVERIFY(again.values == found.values);
        const RandomisedEigen other = randomisedEigen(80, apply, {.rank = 10, .oversampling = 5, .powerIterations = 2, .seed = 5});
        QVERIFY(other.values != found.values);
    }
    void randomisedIsExactWhenTheRankFits()
    {
        const Matrix<double> a = test::multiply(test::gaussian(50, 6, 1), test::gaussian(6, 60, 2));
        const Matrix<double> k = gram(a.view(), Side::Rows);
        const RandomisedEigen found = randomisedEigen(50, [&](ConstView x) { return product(k.view(), x); }, {.rank = 8});
        const std::vector<double> exact = singularValues(a.view());
        for (std::size_t i = 0; i < 6; ++i)
            QVERIFY(std::abs(std::sqrt(found.values[i]) - exact[i]) < 1e-8 * exact[0]);
        QVERIFY(found.residualNorm < 1e-6 * exact[0]);
        QVERIFY_EXCEPTION_THROWN(randomisedEigen(50, [&](ConstView x) { return product(k.view(), x); }, {.rank = 0}), Error);
    }
    void threadsDoNotChangeResults()
    {
        const Matrix<double> a = test::gaussian(700, 400, 1);
        const ThinQr all = thinQr(a.view());
        const ThreadLimit one(1);
        const ThinQr alone = thinQr(a.view());
        QVERIFY(all.q == alone.q && all.r == alone.r);
    }
    void notANumberIsRefused()
    {
        Matrix<double> a = test::gaussian(9, 4, 1);
        a(3, 2) = std::numeric_limits<double>::infinity();
        QVERIFY_EXCEPTION_THROWN(thinQr(a.view()), Error);
        QVERIFY_EXCEPTION_THROWN(pivotedQr(a.view()), Error);
        QVERIFY_EXCEPTION_THROWN(singularValues(a.view()), Error);
    }
};

TAMIS_BLAS_TEST_MAIN(TstDecompositions)
#include "tst_decompositions.moc"
