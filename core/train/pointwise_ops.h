// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Element by element on the tape. `a`, `b`, `x` of one operation have the same shape unless said.
#include "core/kernels/activation.h"
#include "core/train/tape.h"

#include <cstdint>

namespace tamis::train {

template <class T> Variable<T> add(Variable<T> a, Variable<T> b);
template <class T> Variable<T> subtract(Variable<T> a, Variable<T> b);
template <class T> Variable<T> scale(Variable<T> x, T factor);
template <class T> Variable<T> multiplyElements(Variable<T> a, Variable<T> b);
/// Each row times a row vector [1, x.cols]: LayerScale, gates over features, singular values.
template <class T> Variable<T> multiplyRow(Variable<T> x, Variable<T> row);
/// Each row plus a row vector [1, x.cols].
template <class T> Variable<T> addRow(Variable<T> x, Variable<T> row);
template <class T> Variable<T> activation(Variable<T> x, kernels::Activation kind);
template <class T> Variable<T> sigmoid(Variable<T> x);
/// activation(gate) * up: the product of gated MLPs.
template <class T> Variable<T> gatedProduct(Variable<T> gate, Variable<T> up, kernels::Activation kind);
/// The same values; no gradient passes.
template <class T> Variable<T> stopGradient(Variable<T> x);
/// Zero with probability `rate`, otherwise 1 / (1 - rate) times: 0 <= rate < 1. The mask is a function of seed and position.
template <class T> Variable<T> dropout(Variable<T> x, double rate, std::uint64_t seed);
/// Sum of all elements, [1, 1].
template <class T> Variable<T> sumAll(Variable<T> x);
/// Sum of squares of all elements, [1, 1]: regularisers.
template <class T> Variable<T> sumSquares(Variable<T> x);

} // namespace tamis::train
