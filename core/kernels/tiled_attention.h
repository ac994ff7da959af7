// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Exact attention tile by tile: a tile of queries meets one tile of keys and values after the other, packed for the registers, and keeps its
// greatest score, its sum and its mixed values between them (online softmax: Milakov and Gimelshein 2018; Dao et al. 2022 and 2023).
//
// A query whose scores are all minus infinity gets zeros. A query with a score that is no number gets no numbers; other queries do not, and
// keys that a query may not see do not matter to it, whatever they are.
#include "core/base/run_context.h"
#include "core/kernels/attention_kernel.h"

#include <cstdint>
#include <span>

namespace tamis::kernels {

/// Rows of a tile; sides beyond the tokens are the tokens. 0: by the number of queries, as PyTorch's own tiles on processors are (queries 32
/// below 192, 64 below 768, else 256; keys 512).
struct AttentionTiles {
    std::int64_t queries = 0, keys = 0;
};
/// With the zeros chosen and sides cut to the tokens, at least 1 each. Throws Error{InvalidParameter} for sides below 0.
AttentionTiles chosenTiles(AttentionTiles tiles, std::int64_t queries, std::int64_t keys);

/// Floats that one worker of tiledAttention() holds: linear in the tiles, whatever the number of queries and keys.
std::size_t tiledAttentionFloats(const AttentionShape& shape, AttentionTiles tiles, std::int64_t queries, std::int64_t keys);
/// Workers that share the work; at least 1.
std::size_t tiledAttentionWorkers(const AttentionShape& shape, AttentionTiles tiles, std::int64_t queries, bool parallel);

/// As softmaxAttention(), in `buffer` of workers * floats, 64-byte aligned. The result does not depend on the number of workers. Throws
/// Error{InvalidParameter} when shapes disagree, Error{Cancelled} between tiles.
void tiledAttention(const AttentionShape& shape, AttentionTiles tiles, ConstRows q, ConstRows k, ConstRows v, Rows out, std::size_t workers, std::span<float> buffer,
                    const RunContext& context);

} // namespace tamis::kernels
