// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/k_means.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"

#include <cblas.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace tamis::linalg {
namespace {
using tensor::Matrix;
using tensor::MatrixView;
constexpr std::int64_t kTile = 1024;

struct Nearest {
    std::vector<std::int32_t> centroid;
    std::vector<double> distance; ///< squared
};

/// x . c - |c|^2 / 2 is largest for the nearest c.
Nearest nearest(MatrixView<const float> rows, MatrixView<const float> centroids, const RunContext& context)
{
    std::vector<float> half(static_cast<std::size_t>(centroids.rows));
    for (std::size_t c = 0; c < half.size(); ++c)
        for (const float value : centroids.row(static_cast<std::int64_t>(c)))
            half[c] += 0.5F * value * value;
    Matrix<float> products(std::min(kTile, rows.rows), centroids.rows);
    Nearest result;
    for (std::int64_t first = 0; first < rows.rows; first += kTile) {
        context.throwIfStopped();
        const std::int64_t count = std::min(kTile, rows.rows - first);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(count), static_cast<int>(centroids.rows), static_cast<int>(rows.cols), 1.0F,
                    rows.data + first * rows.stride, static_cast<int>(rows.stride), centroids.data, static_cast<int>(centroids.stride), 0.0F, products.data(),
                    static_cast<int>(centroids.rows));
        for (std::int64_t i = 0; i < count; ++i) {
            const float* const row = products.data() + i * centroids.rows;
            std::size_t best = 0;
            for (std::size_t c = 1; c < half.size(); ++c)
                if (row[c] - half[c] > row[best] - half[best])
                    best = c;
            double distance = 0;
            for (std::int64_t j = 0; j < rows.cols; ++j) {
                const double difference = static_cast<double>(rows(first + i, j)) - static_cast<double>(centroids(static_cast<std::int64_t>(best), j));
                distance += difference * difference;
            }
            result.centroid.push_back(static_cast<std::int32_t>(best));
            result.distance.push_back(distance);
        }
    }
    return result;
}

/// Indices of `count` different rows, by the bits of the generator alone.
std::vector<std::int64_t> drawn(std::int64_t rows, std::int64_t count, std::uint64_t seed)
{
    std::vector<std::int64_t> all(static_cast<std::size_t>(rows));
    std::iota(all.begin(), all.end(), 0);
    std::mt19937_64 random(seed);
    for (std::size_t i = 0; i < static_cast<std::size_t>(std::min(rows, count)); ++i)
        std::swap(all[i], all[i + random() % (all.size() - i)]);
    all.resize(static_cast<std::size_t>(std::min(rows, count)));
    return all;
}

void update(MatrixView<const float> rows, Nearest& found, Matrix<float>& centroids, const RunContext& context)
{
    Matrix<double> sums(centroids.rows(), centroids.cols());
    std::vector<std::int64_t> members(static_cast<std::size_t>(centroids.rows()));
    for (std::int64_t i = 0; i < rows.rows; ++i) {
        if (i % kTile == 0)
            context.throwIfStopped();
        const std::int64_t c = found.centroid[static_cast<std::size_t>(i)];
        ++members[static_cast<std::size_t>(c)];
        for (std::int64_t j = 0; j < rows.cols; ++j)
            sums(c, j) += static_cast<double>(rows(i, j));
    }
    for (std::int64_t c = 0; c < centroids.rows(); ++c) {
        if (c % kTile == 0)
            context.throwIfStopped();
        if (members[static_cast<std::size_t>(c)] > 0) {
            for (std::int64_t j = 0; j < centroids.cols(); ++j)
                centroids(c, j) = static_cast<float>(sums(c, j) / static_cast<double>(members[static_cast<std::size_t>(c)]));
            continue;
        }
        const auto farthest = std::ranges::max_element(found.distance);
        const std::int64_t row = farthest - found.distance.begin();
        std::ranges::copy(rows.row(row), centroids.view().row(c).begin());
        *farthest = 0; // the next empty one takes another row
    }
}
} // namespace

KMeans kMeans(MatrixView<const float> rows, std::int64_t count, int iterations, std::uint64_t seed, const RunContext& context)
{
    if (rows.rows < 1 || count < 1 || count > kMaximumCentroids)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(count) + " centroids for " + std::to_string(rows.rows) + " rows, expected 1 to " + std::to_string(kMaximumCentroids) + " of at least one row");
    // Centroids and their sums, the products of a tile, the nearest centroid and its distance of each row.
    const auto n = static_cast<std::uint64_t>(rows.rows), k = static_cast<std::uint64_t>(count), width = static_cast<std::uint64_t>(rows.cols);
    requireMemory((sizeof(float) + sizeof(double)) * k * width + sizeof(float) * k * std::min<std::uint64_t>(kTile, n) + (sizeof(std::int64_t) + 2 * (sizeof(std::int32_t) + sizeof(double))) * n,
                  std::to_string(count) + " centroids of " + std::to_string(rows.rows) + " rows");
    KMeans result{Matrix<float>(count, rows.cols), {}};
    const std::vector<std::int64_t> first = drawn(rows.rows, count, seed);
    for (std::int64_t c = 0; c < count; ++c)
        std::ranges::copy(rows.row(first[c < static_cast<std::int64_t>(first.size()) ? static_cast<std::size_t>(c) : 0]), result.centroids.view().row(c).begin());
    for (int i = 0; i < iterations; ++i) {
        Nearest found = nearest(rows, result.centroids.view(), context);
        result.errors.push_back(std::accumulate(found.distance.begin(), found.distance.end(), 0.0));
        update(rows, found, result.centroids, context);
    }
    return result;
}

std::vector<std::int32_t> nearestCentroids(MatrixView<const float> rows, MatrixView<const float> centroids, const RunContext& context)
{
    return nearest(rows, centroids, context).centroid;
}

} // namespace tamis::linalg
