// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// One-thread products on tiles, and loops over fixed tiles. Private to train.
#include "core/base/parallel.h"
#include "core/tensor/matrix.h"

#include <algorithm>
#include <cstdint>

namespace tamis::train {

enum class Op { None, Transpose };

/// c = alpha op(a) op(b) + beta c: op(a) [c.rows, inner], op(b) [inner, c.cols]. beta = 0: c is not read. One thread.
void multiply(Op opA, Op opB, float alpha, tensor::MatrixView<const float> a, tensor::MatrixView<const float> b, float beta, tensor::MatrixView<float> c);
void multiply(Op opA, Op opB, double alpha, tensor::MatrixView<const double> a, tensor::MatrixView<const double> b, double beta, tensor::MatrixView<double> c);

/// Rows [begin, begin + count) of a view.
template <class T> tensor::MatrixView<T> rowsOf(tensor::MatrixView<T> view, std::int64_t begin, std::int64_t count)
{
    return {view.data + begin * view.stride, count, view.cols, view.stride};
}

/// Columns [begin, begin + count) of a view.
template <class T> tensor::MatrixView<T> columnsOf(tensor::MatrixView<T> view, std::int64_t begin, std::int64_t count)
{
    return {view.data + begin, view.rows, count, view.stride};
}

template <class T> tensor::MatrixView<const T> readOnly(tensor::MatrixView<T> view) { return view; }

/// How `length` items are cut: `count` tiles of `size`, the last one shorter. A function of the shapes alone.
struct Tiling {
    std::int64_t length = 0, size = 1, count = 0;
    Tiling(std::int64_t items, std::int64_t tile) : length(items), size(std::max<std::int64_t>(1, tile)), count((items + size - 1) / size) {}
    std::int64_t begin(std::int64_t index) const noexcept { return index * size; }
    std::int64_t extent(std::int64_t index) const noexcept { return std::min(size, length - index * size); }
};

/// body(i) for i in [0, count) on all threads, with a stop check before each; a single one runs here.
template <class Body> void forTiles(const RunContext& context, std::int64_t count, const Body& body)
{
    if (count <= 1) {
        context.throwIfStopped();
        if (count == 1)
            body(std::int64_t{0});
        return;
    }
    parallelFor(context, static_cast<std::size_t>(count), [&](std::size_t i) { body(static_cast<std::int64_t>(i)); });
}

/// Rows of `cols` elements that make a task of some 64 Ki elements.
inline std::int64_t rowsPerTask(std::int64_t cols) { return std::max<std::int64_t>(1, 65536 / std::max<std::int64_t>(1, cols)); }

} // namespace tamis::train
