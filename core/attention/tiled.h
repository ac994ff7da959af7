// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Exact attention in tiles whose sides are parameters, and what it moves through a cache. Source: Dao et al. 2022, FlashAttention, and 2023,
// FlashAttention-2, whose order of the loops this is.
#include "core/attention/method.h"
#include "core/kernels/tiled_attention.h"

#include <cstdint>

namespace tamis::attention {

struct TileTraffic {
    std::uint64_t readBytes = 0, writeBytes = 0;
    std::uint64_t workingSetBytes = 0; ///< what must fit the cache for these to hold
};

/// Of one head of `dim` floats, all queries seeing all keys: each query tile is read once, and for each of them all keys and values; the output is
/// written once. Br, Bc the sides, 0: chosen, cut to the tokens:
///   read N d + 2 N d ceil(N / Br), written N d, held (Br + 2 Bc) d + Br d + Br Bc floats of 4 bytes.
/// A cache of M floats lets Br grow as M / d: read Theta(N^2 d^2 / M). Throws Error{InvalidParameter} for tokens or dim below 1, sides below 0.
TileTraffic tiledTraffic(std::int64_t tokens, std::int64_t dim, std::int64_t queryTile, std::int64_t keyTile);

/// The operator: causal, sliding window, grouped queries and merged tokens' weights as exactAttention(). Scratch: the buffers of one worker,
/// linear in the tiles. Throws Error{UnsupportedFeature} for attention in windows of a grid, Error{InvalidParameter} for sides below 0.
nn::AttentionPtr tiledAttention(const nn::AttentionSpec& spec, kernels::AttentionTiles tiles = {});
/// id attention.tiled.
Method tiledMethod();

} // namespace tamis::attention
