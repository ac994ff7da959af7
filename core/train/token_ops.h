// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Rows picked, averaged and joined on the tape: embeddings, class tokens, position tables.
#include "core/train/tape.h"

#include <cstdint>
#include <span>

namespace tamis::train {

/// Row indices[i] of `table` as row i: token embeddings, class tokens. Indices are copied; one outside the table throws
/// Error{InvalidParameter}. The gradient adds up where a row was picked more than once.
template <class T> Variable<T> gatherRows(Variable<T> table, std::span<const std::int32_t> indices);

/// Row `token` of each of the sequences of x [sequences tokens, d]: [sequences, d].
template <class T> Variable<T> tokenOfEach(Variable<T> x, std::int64_t sequences, std::int64_t token);

/// The mean of tokens [first, tokens) of each sequence: [sequences, d].
template <class T> Variable<T> meanOfEach(Variable<T> x, std::int64_t sequences, std::int64_t first = 0);

/// Each sequence of x [sequences n, d] behind the rows of `prefix` [p, d] (class token; empty: none), plus `positions`
/// [p + n, d] (empty: none): [sequences (p + n), d].
template <class T> Variable<T> joinTokens(Variable<T> prefix, Variable<T> x, Variable<T> positions, std::int64_t sequences);

/// a and b side by side: [rows, a.cols + b.cols].
template <class T> Variable<T> joinColumns(Variable<T> a, Variable<T> b);

} // namespace tamis::train
