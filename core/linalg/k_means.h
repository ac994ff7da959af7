// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Rows grouped around centroids (Lloyd 1982).
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <vector>

namespace tamis::linalg {

inline constexpr std::int64_t kMaximumCentroids = 65536;

struct KMeans {
    tensor::Matrix<float> centroids; ///< [count, dimensions]
    std::vector<double> errors;      ///< sum of squared distances before each update: never rises
};

/// Lloyd's algorithm from `count` different rows drawn by `seed`; a centroid that no row is next to moves to the row that is farthest from its
/// own. With fewer rows than `count` the last centroids repeat the first row. The same numbers for any number of threads. Throws
/// Error{InvalidParameter} for no row or a count outside 1 to kMaximumCentroids, Error{OutOfMemory, Cancelled}.
KMeans kMeans(tensor::MatrixView<const float> rows, std::int64_t count, int iterations, std::uint64_t seed, const RunContext& context = {});
/// The nearest centroid of each row, of equal ones the first.
std::vector<std::int32_t> nearestCentroids(tensor::MatrixView<const float> rows, tensor::MatrixView<const float> centroids, const RunContext& context = {});

} // namespace tamis::linalg
