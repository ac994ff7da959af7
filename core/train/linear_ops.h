// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Products with weights on the tape.
#include "core/kernels/activation.h"
#include "core/train/tape.h"

namespace tamis::train {

/// y = activation(x W^T + b): x [n, in], weight [out, in], bias [1, out] or an empty variable.
template <class T>
Variable<T> linear(Variable<T> x, Variable<T> weight, Variable<T> bias = {}, kernels::Activation activation = kernels::Activation::None);

/// y = base + x W^T + b: base [n, out], the residual stream.
template <class T> Variable<T> linearResidual(Variable<T> x, Variable<T> weight, Variable<T> bias, Variable<T> base);

/// y = (x A^T) B^T + b: b [out, r], a [r, in], never multiplied out.
template <class T> Variable<T> lowRankLinear(Variable<T> x, Variable<T> b, Variable<T> a, Variable<T> bias = {});

/// y = x W: x [n, k], w [k, m]. The other orientation, for decoders that store [latents, features].
template <class T> Variable<T> product(Variable<T> x, Variable<T> w);

} // namespace tamis::train
