// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Rows as codes into small tables (Jegou, Douze, Schmid, "Product quantization for nearest neighbor search", 2011), scored by table
// look-up: the distances of the paper are inner products here.
#include "core/encoder/coarse_scorer.h"
#include "core/encoder/dictionary.h"
#include "core/encoder/weighted_factors.h"

#include <cstdint>
#include <vector>

namespace tamis::encoder {

struct KMeans {
    tensor::Matrix<float> centroids; ///< [count, dimensions]
    std::vector<double> errors;      ///< sum of squared distances before each update: never rises
};

/// Lloyd's algorithm from `count` different rows drawn by `seed`; a centroid that no row is next to moves to the row that is farthest from its
/// own. With fewer rows than `count` the last centroids repeat the first row. The same numbers for any number of threads. Throws
/// Error{InvalidParameter} for no row, Error{Cancelled}.
KMeans kMeans(tensor::MatrixView<const float> rows, std::int64_t count, int iterations, std::uint64_t seed, const RunContext& context = {});
/// The nearest centroid of each row, of equal ones the first.
std::vector<std::uint8_t> nearestCentroids(tensor::MatrixView<const float> rows, tensor::MatrixView<const float> centroids, const RunContext& context = {});

struct ProductSettings {
    std::int64_t parts = 64;      ///< sub-vectors, 1 to min(D, 256)
    std::int64_t centroids = 256; ///< of each: 16 or 256
    int iterations = 12;
    std::uint64_t seed = 0;
};

/// Directions are dealt out to the parts in turn. With `moments` (their ridge included) rows and activations are first turned to the axes of C
/// and scaled, so that the squared distance that k-means lessens is the expected squared error of the scores; null: as they lie.
/// 16 centroids: the tables are rounded to bytes, one step for all parts of a token. Throws Error{InvalidParameter} for other settings,
/// Error{Cancelled}.
ScorerPtr productScorer(const Dictionary& dictionary, const ProductSettings& settings, const Moments* moments, const RunContext& context = {});

} // namespace tamis::encoder
