// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Block-diagonal encoders on the tape: whole tiles, and tiles that are still being found. Private to the lab.
#include "core/encoder/tiled.h"
#include "core/train/tape.h"

#include <cstdint>
#include <vector>

namespace tamis::encoder {

/// Adds "b.<tile>" [latents, inputs or r], with inner factors "a.<tile>" [r, inputs] too, and "bias" [M].
void addTiles(train::ParameterSet<float>& set, const std::vector<TileFactors>& tiles, std::vector<float> bias);
/// Scores [n, M] of x [n, D] by the parameters of addTiles(); x needs no gradient. `tiling` stays until the tape's reset().
train::Variable<float> tileScores(train::Tape<float>& tape, train::ParameterSet<float>& set, const Tiling& tiling, train::Variable<float> x);

/// Columns of `parts`, part t those of the latents of tile t in ascending order, in the order of the latents: [n, M]. T is float or double.
template <class T> train::Variable<T> joinedTiles(train::Tape<T>& tape, const std::vector<train::Variable<T>>& parts, const Tiling& tiling);

/// A tiling that is looked for by descent. Soft memberships P [M, T] and Q [D, T], softmax over tiles of logits / temperature, weigh the pairs:
/// scores = (V o P Q^T) x + bias with V [M, D] of its own. The temperature falls geometrically from 1 to 0.05 over the steps; checks are taken
/// at the last. Latents that crowd into few tiles are held back by mean_t (T share_t - 1)^2.
class SoftTiling {
public:
    /// From V = w and logits that favour the tiles of `start`. `steps`: of its training.
    SoftTiling(tensor::MatrixView<const float> w, const std::vector<float>& bias, const Tiling& start, std::int64_t steps);
    train::ParameterSet<float>& parameters() noexcept { return m_set; }
    train::Variable<float> scores(train::Tape<float>& tape, train::Variable<float> x, std::int64_t step, bool checking);
    /// mean_t (T share_t - 1)^2 [1, 1].
    train::Variable<float> crowding(train::Tape<float>& tape, std::int64_t step, bool checking);
    /// Each latent and each input where it leans to, in tiles of equal size.
    Tiling balanced() const;

private:
    train::Variable<float> memberships(train::Tape<float>& tape, const char* name, std::int64_t step, bool checking);
    double temperature(std::int64_t step, bool checking) const;
    train::ParameterSet<float> m_set;
    std::int64_t m_tiles, m_steps;
    std::vector<float> m_ones; ///< [M] of 1 / M
    std::vector<float> m_even; ///< [T] of 1 / T
};

} // namespace tamis::encoder
