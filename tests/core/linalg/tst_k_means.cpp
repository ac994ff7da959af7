// SPDX-License-Identifier: GPL-3.0-or-later
// K-means: errors never rise, what is nearest is what a plain search finds, clusters that lie apart are found.
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/linalg/k_means.h"

#include <QTest>

#include <random>
#include <set>

using namespace tamis;
using namespace tamis::linalg;
using tensor::Matrix;

namespace {
Matrix<float> noise(std::int64_t rows, std::int64_t cols, unsigned seed)
{
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    Matrix<float> all(rows, cols);
    for (float& value : all.values())
        value = normal(random);
    return all;
}

double squaredDistance(const Matrix<float>& rows, std::int64_t i, const Matrix<float>& centroids, std::int64_t c)
{
    double sum = 0;
    for (std::int64_t j = 0; j < rows.cols(); ++j)
        sum += (static_cast<double>(rows(i, j)) - static_cast<double>(centroids(c, j))) * (static_cast<double>(rows(i, j)) - static_cast<double>(centroids(c, j)));
    return sum;
}
} // namespace

class TstKMeans : public QObject {
    Q_OBJECT
private slots:
    void memoryIsAskedForFirst()
    {
        const Matrix<float> rows(2, 1 << 20); // 65,536 centroids of them are 256 GiB, their sums twice as much
        try {
            kMeans(rows.view(), kMaximumCentroids, 1, 0);
            QFAIL("768 GiB were there");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::OutOfMemory);
        }
    }
    void errorsNeverRise()
    {
        const Matrix<float> rows = noise(1500, 9, 1);
        const KMeans means = kMeans(rows.view(), 300, 15, 2); // more centroids than a byte counts
        for (std::size_t i = 1; i < means.errors.size(); ++i)
            QVERIFY(means.errors[i] <= means.errors[i - 1] * (1 + 1e-6)); // centroids are rounded to float
        const ThreadLimit one(1);
        QVERIFY(kMeans(rows.view(), 300, 15, 2).centroids == means.centroids);
    }
    void theNearestIsNearest()
    {
        const Matrix<float> rows = noise(400, 6, 3), centroids = noise(310, 6, 4);
        const auto nearest = nearestCentroids(rows.view(), centroids.view());
        for (std::int64_t i = 0; i < rows.rows(); ++i) {
            double least = 1e300;
            for (std::int64_t c = 0; c < centroids.rows(); ++c)
                least = std::min(least, squaredDistance(rows, i, centroids, c));
            // products of some ten units are in float: 1e-5 of them
            QVERIFY(squaredDistance(rows, i, centroids, nearest[static_cast<std::size_t>(i)]) <= least + 1e-4);
        }
    }
    void clustersThatLieApartAreFound()
    {
        Matrix<float> rows = noise(900, 4, 5);
        for (std::int64_t i = 0; i < rows.rows(); ++i)
            rows(i, i % 3) += 100;
        const auto found = nearestCentroids(rows.view(), kMeans(rows.view(), 3, 20, 0).centroids.view());
        std::set<std::int32_t> names;
        for (std::int64_t i = 0; i < rows.rows(); ++i) {
            QCOMPARE(found[static_cast<std::size_t>(i)], found[static_cast<std::size_t>(i % 3)]);
            names.insert(found[static_cast<std::size_t>(i)]);
        }
        QCOMPARE(names.size(), std::size_t{3});
    }
    void refusals()
    {
        QVERIFY_THROWS_EXCEPTION(Error, kMeans(Matrix<float>(0, 3).view(), 2, 3, 0));
        QVERIFY_THROWS_EXCEPTION(Error, kMeans(noise(3, 3, 1).view(), 0, 3, 0));
        QVERIFY_THROWS_EXCEPTION(Error, kMeans(noise(3, 3, 1).view(), kMaximumCentroids + 1, 3, 0));
    }
};

QTEST_APPLESS_MAIN(TstKMeans)
#include "tst_k_means.moc"
