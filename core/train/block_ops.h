// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Attention over chosen keys on the tape, and what makes compressed keys and gates: the pieces of native sparse attention.
#include "core/train/attention_ops.h"
#include "core/train/tape.h"

#include <cstdint>

namespace tamis::train {

/// softmax(scale q k^T) v over the keys that a mask lets through: q [s n, heads d], k [s m, kvHeads d], v [s m, kvHeads e] -> [s n, heads e].
/// `seen` [s, kvHeads, n, m], borrowed until the tape's reset: other than 0 where the queries of a group see the key. A query that sees none gives
/// zeros and has no gradient. The mask itself has none. `shape`: sequences, heads, key heads and scale. q, k, v are different variables.
template <class T> Variable<T> maskedAttention(Variable<T> q, Variable<T> k, Variable<T> v, const std::uint8_t* seen, const AttentionShape& shape);

/// How many blocks of `tokens` tokens, `stride` apart, lie within a sequence of `length`.
std::int64_t blocksWithin(std::int64_t length, std::int64_t tokens, std::int64_t stride) noexcept;
/// Blocks of each sequence and head side by side: x [s n, heads d] -> [s blocks heads, tokens d], row (sequence, block, head), token by token.
template <class T> Variable<T> unfoldBlocks(Variable<T> x, std::int64_t sequences, std::int64_t heads, std::int64_t tokens, std::int64_t stride);
/// Mean of the `count` parts that lie side by side: x [rows, count d] -> [rows, d].
template <class T> Variable<T> meanOfParts(Variable<T> x, std::int64_t count);
/// Rows of heads, one after another, side by side: x [rows heads, d] -> [rows, heads d].
template <class T> Variable<T> joinHeads(Variable<T> x, std::int64_t heads);
/// Each head's features times its own gate: x [rows, heads d], gates [rows, heads].
template <class T> Variable<T> gateHeads(Variable<T> x, Variable<T> gates);

} // namespace tamis::train
