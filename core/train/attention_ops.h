// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Softmax attention and rotary positions on the tape.
#include "core/train/tape.h"

#include <cstdint>

namespace tamis::train {

struct AttentionShape {
    std::int64_t sequences = 1;     ///< rows are sequences x tokens, all of one length
    std::int64_t heads = 1;
    std::int64_t keyValueHeads = 0; ///< 0: as many as heads; else a divisor: heads share keys and values in groups
    double scale = 0;               ///< of the scores; 0: 1 / sqrt(head's features)
    bool causal = false;            ///< query i sees keys 0..i (+ keys - queries, when there are more keys)
    std::int64_t window = 0;        ///< causal only: the last `window` keys, the query's own included; 0: all
};

/// softmax(scale q k^T + bias) v for each sequence and head: q [s n, heads d], k [s m, kvHeads d], v [s m, kvHeads e] ->
/// [s n, heads e]. `bias` [heads n, m] or empty: the same for every sequence. Probabilities live for one head and a tile of
/// queries at a time; the backward pass computes them again from their log-sums.
template <class T> Variable<T> attention(Variable<T> q, Variable<T> k, Variable<T> v, const AttentionShape& shape, Variable<T> bias = {});

/// Rotates the pairs (j, j + half) of the first 2 half features of each head by the angle of its position (LLaMA's
/// rotate_half): cosines, sines [tokens, half], borrowed until the tape's reset; x [s tokens, heads headDim].
template <class T> Variable<T> rotary(Variable<T> x, View<const T> cosines, View<const T> sines, std::int64_t headDim);

} // namespace tamis::train
