// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which inputs and which latents make a tile of a block-diagonal encoder.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::encoder {

/// The tile of each input and of each latent. Tiles have sizes that differ by one at most.
struct Tiling {
    std::int64_t tiles = 1;
    std::vector<std::int32_t> inputs;  ///< [D]
    std::vector<std::int32_t> latents; ///< [M]

    std::vector<std::int32_t> inputsOf(std::int64_t tile) const;  ///< ascending
    std::vector<std::int32_t> latentsOf(std::int64_t tile) const; ///< ascending
};

/// Neighbours together: inputs 0, 1, ... and latents 0, 1, ... in equal runs. Throws Error{InvalidParameter} for tiles outside 1 to min(D, M).
Tiling runsOf(std::int64_t width, std::int64_t latents, std::int64_t tiles);

/// sum of w_ij^2 variance_j over the pairs that share a tile: what the kept blocks hold of the scores' energy were the inputs uncorrelated.
double keptEnergy(tensor::MatrixView<const float> w, std::span<const double> variance, const Tiling& tiling);

/// Each item to the group where it gains most, groups of sizes that differ by one at most: pairs are taken from the largest advantage over
/// the item's other groups on. gains [items, groups]. Throws Error{Cancelled}.
std::vector<std::int32_t> balancedGroups(const tensor::Matrix<double>& gains, const RunContext& context = {});

/// From runsOf() on, latents and inputs are dealt out anew in turn as long as keptEnergy() rises, `rounds` times at most: never below that of
/// runsOf(). Throws as runsOf, Error{Cancelled}.
Tiling energyTiling(tensor::MatrixView<const float> w, std::span<const double> variance, std::int64_t tiles, int rounds, const RunContext& context = {});

} // namespace tamis::encoder
