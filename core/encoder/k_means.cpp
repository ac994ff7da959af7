// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/k_means.h"

#include "core/base/error.h"
#include "core/encoder/product_quantiser.h"

namespace tamis::encoder {
namespace {
constexpr std::int64_t kMostCentroids = 256; // a code is a byte
} // namespace

KMeans kMeans(tensor::MatrixView<const float> rows, std::int64_t count, int iterations, std::uint64_t seed, const RunContext& context)
{
    if (rows.rows < 1 || count < 1 || count > kMostCentroids)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(count) + " centroids for " + std::to_string(rows.rows) + " rows, expected 1 to 256 of at least one row");
    auto found = linalg::kMeans(rows, count, iterations, seed, context);
    return {std::move(found.centroids), std::move(found.errors)};
}

std::vector<std::uint8_t> nearestCentroids(tensor::MatrixView<const float> rows, tensor::MatrixView<const float> centroids, const RunContext& context)
{
    const auto found = linalg::nearestCentroids(rows, centroids, context);
    return {found.begin(), found.end()};
}

} // namespace tamis::encoder
