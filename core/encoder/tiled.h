// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/encoder/coarse_scorer.h"
#include "core/encoder/method.h"
#include "core/encoder/tiling.h"
#include "core/encoder/weighted_factors.h"

#include <vector>

namespace tamis::encoder {

/// encoder.tiled: each latent reads the inputs of its tile alone; docs/methods/encoder.tiled.md.
Method tiledMethod();

/// Rows V of one tile: w_i (x - mean) ~ v_i (x_tile - mean_tile).
struct TileRows {
    std::vector<std::int32_t> inputs, latents;
    tensor::Matrix<double> rows; ///< [latents, inputs]
};

/// V = W C[:, I] C[I, I]^{-1}, the least squares of the scores over the activations given the tile's inputs alone, by triangular solves. A
/// second moment without a Cholesky root gets a ridge, raised tenfold from 1e-12 of its mean diagonal until it has one. With C = I the blocks of W.
TileRows tileRows(tensor::MatrixView<const float> w, const Moments& moments, const Tiling& tiling, std::int64_t tile, const RunContext& context = {});

/// Scores of the tiles; `rank` > 0: each tile by the factors of weightedFactors() of that rank. `bias` [M] is that of the whole rows.
ScorerPtr tiledScorer(tensor::MatrixView<const float> w, const std::vector<float>& bias, const Moments& moments, const Tiling& tiling, std::int64_t rank,
                      const RunContext& context = {});

} // namespace tamis::encoder
