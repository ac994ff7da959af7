// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/symmetric_eigen.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/linalg/gemm.h"
#include "core/linalg/singular_values.h"
#include "tests/core/base/stop_clock.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/linalg/matrices.h"

#include <chrono>
#include <cmath>
#include <thread>

using namespace tamis;
using namespace tamis::linalg;
using tensor::Matrix;

namespace {
constexpr double kEps = 2.220446049250313e-16;

Matrix<double> symmetric(std::int64_t n, std::uint64_t seed)
{
    const Matrix<double> g = test::gaussian(n, n, seed);
    Matrix<double> a(n, n);
    for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = 0; j < n; ++j)
            a(i, j) = g(i, j) + g(j, i);
    return a;
}

Matrix<double> upperOnly(Matrix<double> a)
{
    for (std::int64_t i = 0; i < a.rows(); ++i)
        for (std::int64_t j = 0; j < i; ++j)
            a(i, j) = std::nan("");
    return a;
}

/// The second-difference matrix: eigenvalues 2 - 2 cos(k pi / (n + 1)), known exactly.
Matrix<double> laplacian(std::int64_t n)
{
    Matrix<double> a(n, n);
    for (std::int64_t i = 0; i < n; ++i) {
        a(i, i) = 2;
        if (i + 1 < n)
            a(i, i + 1) = a(i + 1, i) = -1;
    }
    return a;
}

void checkDecomposition(const Matrix<double>& a)
{
    const std::int64_t n = a.rows();
    const SymmetricEigen eigen = symmetricEigen(upperOnly(a));
    const std::vector<double> values = symmetricEigenvalues(upperOnly(a));
    QCOMPARE(eigen.values.size(), static_cast<std::size_t>(n));
    const double scale = std::max(std::sqrt(test::sumOfSquares(a)), 1e-300);
    // A backward stable method leaves n eps |A| with a modest factor; 10 n eps |A|_F is what we ask.
    const double tolerance = 10 * static_cast<double>(std::max<std::int64_t>(n, 4)) * kEps;
    const Matrix<double> image = product(eigen.vectors.view(), a.view());
    double residual = 0;
    for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = 0; j < n; ++j)
            residual = std::max(residual, std::abs(image(i, j) - eigen.values[static_cast<std::size_t>(i)] * eigen.vectors(i, j)));
    QVERIFY2(residual <= tolerance * scale, qPrintable(QString::number(residual / scale)));
    const Matrix<double> overlap = product(Op::None, Op::Transpose, eigen.vectors.view(), eigen.vectors.view());
    const double orthogonality = test::maxAbs(test::difference(overlap, test::identity(n)));
    QVERIFY2(orthogonality <= tolerance, qPrintable(QString::number(orthogonality)));
    for (std::size_t i = 0; i < values.size(); ++i) {
        QVERIFY(std::abs(values[i] - eigen.values[i]) <= tolerance * scale);
        QVERIFY(i == 0 || (values[i] <= values[i - 1] && eigen.values[i] <= eigen.values[i - 1]));
    }
}
} // namespace

class TstSymmetricEigen : public QObject
{
    Q_OBJECT
private slots:
    void pairsSatisfyTheEquationAndAreOrthonormal_data()
    {
        QTest::addColumn<int>("n");
        for (const int n : {0, 1, 2, 3, 7, 25, 26, 31, 32, 33, 64, 65, 100, 129, 257, 600})
            QTest::addRow("%d", n) << n;
    }
    void pairsSatisfyTheEquationAndAreOrthonormal()
    {
        QFETCH(int, n);
        checkDecomposition(symmetric(n, 17 + static_cast<std::uint64_t>(n)));
    }
    void theTiledPathAgreesToo() { checkDecomposition(symmetric(1300, 3)); } // above the size where one task does all
    void knownEigenvaluesAreFound()
    {
        const std::int64_t n = 300;
        const std::vector<double> values = symmetricEigenvalues(laplacian(n));
        const SymmetricEigen eigen = symmetricEigen(laplacian(n));
        for (std::int64_t k = 0; k < n; ++k) {
            const double expected = 2 - 2 * std::cos(static_cast<double>(n - k) * M_PI / static_cast<double>(n + 1));
            QVERIFY(std::abs(values[static_cast<std::size_t>(k)] - expected) < 300 * 4 * kEps);
            QVERIFY(std::abs(eigen.values[static_cast<std::size_t>(k)] - expected) < 300 * 4 * kEps);
        }
    }
    void clustersZerosAndDiagonalsDeflate()
    {
        checkDecomposition(Matrix<double>(90, 90));
        checkDecomposition(test::identity(90));
        Matrix<double> diagonal(120, 120);
        for (std::int64_t i = 0; i < 120; ++i)
            diagonal(i, i) = static_cast<double>((i * 37) % 11) - 5;
        checkDecomposition(diagonal);
        const Matrix<double> thin = test::gaussian(150, 7, 5); // rank 7: 143 zeros
        checkDecomposition(gram(thin.view(), Side::Rows));
    }
    void extremeScalesSurvive()
    {
        for (const double scale : {1e-150, 1e150}) {
            Matrix<double> a = symmetric(60, 9);
            for (double& value : a.values())
                value *= scale;
            const std::vector<double> values = symmetricEigenvalues(a), reference = symmetricEigenvalues(symmetric(60, 9));
            const SymmetricEigen eigen = symmetricEigen(a);
            for (std::size_t i = 0; i < values.size(); ++i) {
                QVERIFY(std::abs(values[i] / scale - reference[i]) < 1e-12);
                QVERIFY(std::abs(eigen.values[i] / scale - reference[i]) < 1e-12);
            }
        }
    }
    void resultsDoNotDependOnTheNumberOfThreads()
    {
        const Matrix<double> a = symmetric(1200, 21);
        const SymmetricEigen all = symmetricEigen(a);
        const std::vector<double> values = symmetricEigenvalues(a);
        const ThreadLimit one(1);
        const SymmetricEigen alone = symmetricEigen(a);
        QVERIFY(all.values == alone.values);
        QVERIFY(all.vectors == alone.vectors);
        QVERIFY(values == symmetricEigenvalues(a));
    }
    void badInputIsRefused()
    {
        const auto codeOf = [](Matrix<double> a) {
            try {
                symmetricEigenvalues(std::move(a));
            } catch (const Error& error) {
                return error.code();
            }
            return ErrorCode::IoFailure;
        };
        Matrix<double> a = test::identity(5);
        a(1, 3) = std::nan("");
        QVERIFY(codeOf(a) == ErrorCode::NonFinite);
        QVERIFY(codeOf(Matrix<double>(3, 4)) == ErrorCode::InvalidParameter);
    }
    void aStopIsSeenInsideOneLargeMatrix_data()
    {
        QTest::addColumn<int>("n");
        QTest::addColumn<bool>("vectors");
        QTest::addColumn<int>("afterMs");
        QTest::newRow("values, reduction") << 3000 << false << 150;
        QTest::newRow("vectors, reduction") << 3000 << true << 150;
        QTest::newRow("vectors, later") << 3000 << true << 1100;
    }
    void aStopIsSeenInsideOneLargeMatrix()
    {
        QFETCH(int, n);
        QFETCH(bool, vectors);
        QFETCH(int, afterMs);
        Matrix<double> a = symmetric(n, 2);
        std::stop_source source;
        const RunContext context(source.get_token());
        test::StopClock clock;
        std::jthread stopper([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(afterMs));
            clock.ask(source);
        });
        bool cancelled = false;
        try {
            if (vectors)
                symmetricEigen(std::move(a), context);
            else
                symmetricEigenvalues(std::move(a), context);
        } catch (const Error& error) {
            cancelled = error.code() == ErrorCode::Cancelled;
        }
        stopper.join();
        const double seconds = clock.seconds();
        if (!cancelled)
            QSKIP("finished before the stop was asked for");
        qInfo("stop seen after %.1f ms", 1e3 * seconds);
        QVERIFY(seconds < test::kSoonSeconds);
    }
};

TAMIS_BLAS_TEST_MAIN(TstSymmetricEigen)
#include "tst_symmetric_eigen.moc"
