// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/io/npz.h"
#include "core/linalg/gemm.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/lowrank/incremental_pca.h"
#include "tests/core/linalg/matrices.h"

#include <QTest>

#include <cmath>

using namespace tamis;
using lowrank::Subspace;
using lowrank::SubspaceMean;
using tensor::Matrix;

namespace {
Subspace subspace(Matrix<double> rows, std::vector<double> values = {})
{
    if (values.empty())
        values.assign(static_cast<std::size_t>(rows.rows()), 1.0);
    return {std::move(rows), std::move(values)};
}

/// |V^T V - U^T U|_F for orthonormal rows: signs and turns within the subspace do not count.
double apart(const Matrix<double>& v, const Matrix<double>& u)
{
    const auto p = test::multiply(test::transposed(v), v), q = test::multiply(test::transposed(u), u);
    return std::sqrt(test::sumOfSquares(test::difference(p, q)));
}

Matrix<double> leading(const std::vector<Subspace>& samples, std::int64_t count, const std::vector<std::vector<double>>& weights = {})
{
    const std::int64_t width = samples.front().vectors.cols();
    Matrix<double> sum(width, width);
    for (std::size_t s = 0; s < samples.size(); ++s)
        for (std::int64_t k = 0; k < samples[s].vectors.rows(); ++k)
            for (std::int64_t i = 0; i < width; ++i)
                for (std::int64_t j = 0; j < width; ++j)
                    sum(i, j) += (weights.empty() ? 1.0 : weights[s][std::size_t(k)]) * samples[s].vectors(k, i) * samples[s].vectors(k, j);
    const auto eigen = linalg::symmetricEigen(sum);
    Matrix<double> rows(count, width);
    std::copy_n(eigen.vectors.data(), rows.size(), rows.data());
    return rows;
}

Matrix<double> goldenRows(const io::NpzArchive& golden, const char* name) { return golden.read(name).toDoubleMatrix(); }
} // namespace

class TestIncrementalPca : public QObject {
    Q_OBJECT
private slots:
    void stepsEqualOneBatch();
    void whatIsBeyondTheCapacityIsTheLeast();
    void itIsNotCentred();
    void meansAreThoseOfNumPy();
    void medianIgnoresAnOutlier();
    void medianIsAStationaryPoint();
    void oneSampleIsItsOwnMean();
    void badInputIsRefused();
};

void TestIncrementalPca::stepsEqualOneBatch()
{
    // 6 samples of 3 directions, all inside 10 of 25 dimensions: a capacity of 10 loses nothing
    const auto inside = test::orthonormalRows(10, 25, 1);
    std::vector<Subspace> samples;
    lowrank::IncrementalPca pca(25, 10);
    for (unsigned s = 0; s < 6; ++s) {
        samples.push_back(subspace(test::multiply(test::orthonormalRows(3, 10, 10 + s), inside)));
        pca.add(samples.back().vectors.view());
    }
    for (const std::int64_t count : {1, 3, 6}) {
        QVERIFY2(apart(pca.components(count), leading(samples, count)) < 1e-10, qPrintable(QString::number(apart(pca.components(count), leading(samples, count)))));
    }
    double trace = 0;
    for (const double value : pca.values())
        trace += value;
    QVERIFY(std::abs(trace - 18) < 1e-12 * 18); // nothing of the sum was lost
    const auto unit = pca.components(10);
    QVERIFY(test::maxAbs(test::difference(test::multiply(unit, test::transposed(unit)), test::identity(10))) < 1e-9);
    // the other order of the samples gives the same subspace
    lowrank::IncrementalPca backwards(25, 10);
    for (std::size_t s = samples.size(); s-- > 0;)
        backwards.add(samples[s].vectors.view());
    QVERIFY(apart(backwards.components(4), pca.components(4)) < 1e-10);
}

void TestIncrementalPca::whatIsBeyondTheCapacityIsTheLeast()
{
    // one add: the kept part is the best approximation of the sum (Eckart, Young)
    const auto rows = test::orthonormalRows(4, 12, 3);
    lowrank::IncrementalPca pca(12, 2);
    pca.add(rows.view(), {4, 3, 2, 1});
    QCOMPARE(pca.values().size(), std::size_t(2));
    QVERIFY(std::abs(pca.values()[0] - 16) < 1e-12 && std::abs(pca.values()[1] - 9) < 1e-12);
    Matrix<double> two(2, 12);
    std::copy_n(rows.data(), two.size(), two.data());
    QVERIFY(apart(pca.components(2), two) < 1e-12);
}

void TestIncrementalPca::itIsNotCentred()
{
    // A direction that all samples share, with one sign: the mean takes it away, the sum of projectors must put it first.
    const auto basis = test::orthonormalRows(5, 8, 4);
    std::vector<Subspace> samples;
    for (std::int64_t s = 0; s < 4; ++s) {
        Matrix<double> rows(2, 8);
        for (std::int64_t j = 0; j < 8; ++j) {
            rows(0, j) = basis(0, j);
            rows(1, j) = basis(1 + s, j);
        }
        samples.push_back(subspace(std::move(rows)));
    }
    const auto first = lowrank::meanSubspace(samples, 1, SubspaceMean::Equal);
    Matrix<double> shared(1, 8);
    std::copy_n(basis.data(), 8, shared.data());
    QVERIFY(apart(first, shared) < 1e-12);
}

void TestIncrementalPca::meansAreThoseOfNumPy()
{
    const auto golden = io::NpzArchive::open(std::filesystem::path(TAMIS_SOURCE_DIR) / "tests" / "golden" / "dobi_golden.npz");
    const auto rows = goldenRows(*golden, "sub.rows"), values = goldenRows(*golden, "sub.values");
    std::vector<Subspace> samples;
    for (std::int64_t s = 0; s < 5; ++s) {
        Matrix<double> own(3, 9);
        std::copy_n(rows.data() + s * 27, 27, own.data());
        samples.push_back(subspace(std::move(own), {values(s, 0), values(s, 1), values(s, 2)}));
    }
    // eigenvectors in double, their values some 0.1 apart; the median's iteration stops at 1e-9 of its norm
    QVERIFY(apart(lowrank::meanSubspace(samples, 4, SubspaceMean::Equal), goldenRows(*golden, "sub.equal")) < 1e-10);
    QVERIFY(apart(lowrank::meanSubspace(samples, 4, SubspaceMean::Weighted), goldenRows(*golden, "sub.weighted")) < 1e-10);
    QVERIFY(apart(lowrank::meanSubspace(samples, 4, SubspaceMean::GeometricMedian), goldenRows(*golden, "sub.median")) < 1e-7);
}

void TestIncrementalPca::medianIgnoresAnOutlier()
{
    // Nine samples near one subspace, and four that agree on another one entirely: equal votes are drawn to them, the majority of the
    // median moves less. A single outlier hardly moves it.
    const auto plane = test::orthonormalRows(3, 20, 1), other = test::orthonormalRows(3, 20, 2);
    std::vector<Subspace> samples;
    for (unsigned s = 0; s < 9; ++s) {
        auto near = plane;
        const auto noise = test::gaussian(3, 20, 30 + s);
        for (std::size_t i = 0; i < near.size(); ++i)
            near.values()[i] += 0.05 * noise.values()[i];
        lowrank::IncrementalPca own(20, 3);
        own.add(near.view());
        samples.push_back(subspace(own.components(3)));
    }
    for (int s = 0; s < 4; ++s)
        samples.push_back(subspace(other));
    const double equal = apart(lowrank::meanSubspace(samples, 3, SubspaceMean::Equal), plane);
    const double median = apart(lowrank::meanSubspace(samples, 3, SubspaceMean::GeometricMedian), plane);
    const std::vector<Subspace> good(samples.begin(), samples.begin() + 9);
    const double without = apart(lowrank::meanSubspace(good, 3, SubspaceMean::Equal), plane);
    QVERIFY2(median < equal, qPrintable(QString("%1, %2, %3").arg(median).arg(equal).arg(without)));
    samples.erase(samples.begin() + 10, samples.end()); // one outlier alone
    const double one = apart(lowrank::meanSubspace(samples, 3, SubspaceMean::GeometricMedian), plane);
    QVERIFY2(one < 1.2 * without + 1e-3, qPrintable(QString("%1 against %2").arg(one).arg(without)));
}

void TestIncrementalPca::medianIsAStationaryPoint()
{
    // Three one-dimensional subspaces, two of them equal: the median of the projectors is theirs (2 against 1), and no mean is.
    const auto basis = test::orthonormalRows(2, 6, 1);
    Matrix<double> first(1, 6), second(1, 6);
    for (std::int64_t j = 0; j < 6; ++j) {
        first(0, j) = basis(0, j);
        second(0, j) = (basis(0, j) + basis(1, j)) / std::sqrt(2.0);
    }
    const std::vector<Subspace> samples{subspace(first), subspace(first), subspace(second)};
    QVERIFY(apart(lowrank::meanSubspace(samples, 1, SubspaceMean::Equal), first) > 0.1);
    QVERIFY(apart(lowrank::meanSubspace(samples, 1, SubspaceMean::GeometricMedian), first) < 1e-3);
}

void TestIncrementalPca::oneSampleIsItsOwnMean()
{
    const auto rows = test::orthonormalRows(3, 7, 1);
    for (const auto mean : {SubspaceMean::Equal, SubspaceMean::Weighted, SubspaceMean::GeometricMedian})
        QVERIFY(apart(lowrank::meanSubspace({subspace(rows, {3, 2, 1})}, 3, mean), rows) < 1e-10);
    // fewer directions than asked for: what there is
    QCOMPARE(lowrank::meanSubspace({subspace(rows)}, 5, SubspaceMean::Equal).rows(), std::int64_t(3));
}

void TestIncrementalPca::badInputIsRefused()
{
    QVERIFY_THROWS_EXCEPTION(Error, lowrank::IncrementalPca(5, 0));
    QVERIFY_THROWS_EXCEPTION(Error, lowrank::IncrementalPca(5, 6));
    lowrank::IncrementalPca pca(5, 2);
    QVERIFY_THROWS_EXCEPTION(Error, pca.add(test::orthonormalRows(2, 6, 1).view()));
    QVERIFY_THROWS_EXCEPTION(Error, pca.add(test::orthonormalRows(2, 5, 1).view(), {1}));
    QVERIFY_THROWS_EXCEPTION(Error, lowrank::meanSubspace({}, 1, SubspaceMean::Equal));
    QVERIFY_THROWS_EXCEPTION(Error, lowrank::meanSubspace({subspace(test::orthonormalRows(2, 6, 1)), subspace(test::orthonormalRows(2, 5, 1))}, 1, SubspaceMean::Equal));
}

QTEST_APPLESS_MAIN(TestIncrementalPca)
#include "tst_incremental_pca.moc"
