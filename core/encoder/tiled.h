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

/// One tile's scores outer (inner x_tile): inner is empty for whole blocks, outer then reads the inputs themselves.
struct TileFactors {
    std::vector<std::int32_t> inputs, latents;
    tensor::Matrix<double> outer, inner; ///< [latents, r or inputs], [r, inputs]
};
/// Of tileRows(), with `rank` > 0 by the factors of weightedFactors() of that rank.
std::vector<TileFactors> tileFactors(tensor::MatrixView<const float> w, const Moments& moments, const Tiling& tiling, std::int64_t rank, const RunContext& context = {});
/// bias + (W - tiles) mean in double, rounded once.
std::vector<float> tileBias(tensor::MatrixView<const float> w, const std::vector<float>& bias, const std::vector<TileFactors>& tiles, const std::vector<double>& mean, const RunContext& context = {});
/// Scores of given tiles, `bias` [M] added. Throws Error{InvalidParameter} for shapes that disagree.
ScorerPtr tiledScorer(std::int64_t width, std::vector<float> bias, const std::vector<TileFactors>& tiles);

/// Scores of the tiles; `rank` > 0: each tile by the factors of weightedFactors() of that rank. `bias` [M] is that of the whole rows.
ScorerPtr tiledScorer(tensor::MatrixView<const float> w, const std::vector<float>& bias, const Moments& moments, const Tiling& tiling, std::int64_t rank,
                      const RunContext& context = {});

} // namespace tamis::encoder
