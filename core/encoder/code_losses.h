// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What scores lose against exact codes, on the tape. Scores are [n, M], codes those of the n rows; everything is a mean over rows. T is
// float or double. Private to the lab.
#include "core/encoder/sparse_decoder.h"
#include "core/train/tape.h"

#include <cstdint>

namespace tamis::encoder {

/// What the k largest positive scores of each row decode to: sum_j v_j d_j [n, D]. What was not chosen has no gradient: the derivative
/// wherever there is one. `decoder` stays until the tape's reset().
template <class T> train::Variable<T> decodedLargest(train::Variable<T> scores, std::int64_t k, const SparseDecoder& decoder);

/// sum over the exact set of (s_j - z_j)^2 + sum over the others of max(0, s_j - tau)^2, tau the k-th exact value, 0 where fewer are
/// positive. Convex in the scores; 0 if and only if no other latent is above the set (or 0) and its values are exact.
template <class T> train::Variable<T> codeError(train::Variable<T> scores, const SparseCodes& exact, std::int64_t k);

/// sum over the exact set of (s_j - z_j)^2.
template <class T> train::Variable<T> valueError(train::Variable<T> scores, const SparseCodes& exact);

/// Listwise (Cao et al. 2007, "Learning to rank: from pairwise approach to listwise approach"): KL(q | p), p = softmax(s / temperature) over
/// all latents, q = softmax(z / temperature) over the exact set. Rows without one count 0.
template <class T> train::Variable<T> setDivergence(train::Variable<T> scores, const SparseCodes& exact, double temperature);

} // namespace tamis::encoder
