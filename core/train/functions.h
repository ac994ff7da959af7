// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Elementary functions on spans, vectorised for float (polynomials, a few units of float's last place), libm for double, and
// sums in a fixed order. Private to train.
#include "core/kernels/activation.h"

#include <cstdint>

namespace tamis::train {

/// y = activation(z); y may be z.
template <class T> void activate(kernels::Activation activation, const T* z, T* y, std::int64_t count);
/// g *= activation'(z).
template <class T> void activateBackward(kernels::Activation activation, const T* z, T* g, std::int64_t count);
template <class T> void sigmoid(const T* z, T* y, std::int64_t count);

/// row = exp(scale row - maximum), and the maximum of scale row with the sum of those.
template <class T> struct ExpSum {
    T maximum, sum;
};
template <class T> ExpSum<T> expShifted(T* row, T scale, std::int64_t count);
/// row = exp(scale row - logSum): probabilities once more, from what expShifted() told.
template <class T> void expAgain(T* row, T scale, T logSum, std::int64_t count);
/// y *= factor
template <class T> void scaleRow(T factor, T* y, std::int64_t count);
/// y += factor x
template <class T> void addScaled(T factor, const T* x, T* y, std::int64_t count);

template <class T> T sum(const T* x, std::int64_t count);
template <class T> T dot(const T* x, const T* y, std::int64_t count);
/// sum of (x - shift)^2
template <class T> T squares(const T* x, T shift, std::int64_t count);
template <class T> T maximum(const T* x, std::int64_t count);

} // namespace tamis::train
