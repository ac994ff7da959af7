// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Products of small float matrices on the calling thread: what a head of attention is made of.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

namespace tamis::linalg {

enum class Turn { None, Transpose };

/// c = alpha op(a) op(b) + beta c: op(a) [c.rows, inner], op(b) [inner, c.cols]. beta = 0: c is not read. One thread; c overlaps neither.
/// Throws Error{InvalidParameter} when shapes disagree.
void floatProduct(Turn turnA, Turn turnB, float alpha, tensor::MatrixView<const float> a, tensor::MatrixView<const float> b, float beta, tensor::MatrixView<float> c);
/// The same for matrices that may be large: rows of c after rows, between which it throws Error{Cancelled}.
void floatProduct(const RunContext& context, Turn turnA, Turn turnB, float alpha, tensor::MatrixView<const float> a, tensor::MatrixView<const float> b, float beta, tensor::MatrixView<float> c);

} // namespace tamis::linalg
