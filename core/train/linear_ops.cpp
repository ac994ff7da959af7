// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/linear_ops.h"

#include "core/train/functions.h"
#include "core/train/products.h"

namespace tamis::train {
namespace {
using kernels::Activation;
constexpr std::int64_t kTileElements = 196608; // rows of x and y together: 0.75 MiB of floats, beside W within L2
constexpr std::int64_t kTileColumns = 1024;
constexpr std::int64_t kChunks = 16;               // partial sums of a weight gradient, at most
constexpr std::int64_t kPartialElements = 8 << 20; // and their size; larger weights are cut by outputs instead

template <class T> struct Operands {
    Variable<T> x, weight, bias, base;
    Activation activation = Activation::None;
    View<T> z;                ///< before the activation, where there is one
    bool transposed = false;  ///< the weight is [in, out]
};

/// Rows of a tile: what fits the cache, but an eighth of all rows where there are few (one image), for several threads.
std::int64_t tileRows(std::int64_t rows, std::int64_t in, std::int64_t out)
{
    const std::int64_t cached = std::clamp<std::int64_t>(kTileElements / (in + std::min(out, kTileColumns)) / 16 * 16, 16, 384);
    return std::min(cached, std::max<std::int64_t>(48, (rows / 8 + 15) / 16 * 16));
}

template <class T> View<const T> columnsOfWeight(View<const T> weight, bool transposed, std::int64_t begin, std::int64_t count)
{
    return transposed ? columnsOf(weight, begin, count) : rowsOf(weight, begin, count);
}

/// y = x W^T + b + base, tile by tile, and activated from z.
template <class T> void forward(const RunContext& context, const Operands<T>& operands, View<T> y)
{
    const View<const T> x = operands.x.value(), weight = operands.weight.value();
    const View<const T> bias = operands.bias ? operands.bias.value() : View<const T>{};
    const View<const T> base = operands.base ? operands.base.value() : View<const T>{};
    const View<T> sums = operands.z.data ? operands.z : y;
    const Tiling down(y.rows, tileRows(y.rows, x.cols, y.cols)), across(y.cols, kTileColumns);
    forTiles(context, down.count * across.count, [&](std::int64_t tile) {
        const std::int64_t row = down.begin(tile / across.count), column = across.begin(tile % across.count);
        const View<T> target = columnsOf(rowsOf(sums, row, down.extent(tile / across.count)), column, across.extent(tile % across.count));
        for (std::int64_t i = 0; i < target.rows && (bias.data || base.data); ++i) {
            T* out = target.data + i * target.stride;
            const T* start = bias.data ? bias.data + column : nullptr;
            if (base.data) {
                const T* from = base.data + (row + i) * base.stride + column;
                for (std::int64_t j = 0; j < target.cols; ++j)
                    out[j] = from[j] + (start ? start[j] : T{0});
            } else {
                std::copy_n(start, target.cols, out);
            }
        }
        multiply(Op::None, operands.transposed ? Op::None : Op::Transpose, T{1}, rowsOf(x, row, target.rows),
                 columnsOfWeight(weight, operands.transposed, column, target.cols), bias.data || base.data ? T{1} : T{0}, target);
        for (std::int64_t i = 0; i < target.rows && operands.z.data; ++i)
            activate(operands.activation, target.data + i * target.stride, y.data + (row + i) * y.stride + column, target.cols);
    });
}

/// target (+)= the sum of `chunks` matrices that lie one after another in `partials`.
template <class T> void addPartials(const RunContext& context, const T* partials, std::int64_t chunks, GradientTarget<T> target)
{
    const View<T> view = target.view;
    const Tiling rows(view.rows, rowsPerTask(view.cols));
    forTiles(context, rows.count, [&](std::int64_t tile) {
        for (std::int64_t i = rows.begin(tile); i < rows.begin(tile) + rows.extent(tile); ++i) {
            T* out = view.data + i * view.stride;
            const T* first = partials + i * view.cols;
            for (std::int64_t j = 0; j < view.cols; ++j)
                out[j] = (target.add ? out[j] : T{0}) + first[j];
            for (std::int64_t c = 1; c < chunks; ++c)
                addScaled(T{1}, partials + (c * view.rows + i) * view.cols, out, view.cols);
        }
    });
}

/// Everything of one range of rows: gradient through the activation, gradient of x, partial sums of weight and bias.
template <class T> struct BackwardPass {
    const RunContext& context;
    const Operands<T>& operands;
    View<T> gradient;
    GradientTarget<T> dx, dw, db;
    bool weightHere = false; ///< partial weight gradients in the same pass
    Tiling chunks;
    T* weightPartials = nullptr;
    T* biasPartials = nullptr;

    void chunk(std::int64_t index) const
    {
        const View<const T> x = operands.x.value(), weight = operands.weight.value();
        const std::int64_t end = chunks.begin(index) + chunks.extent(index), tile = tileRows(gradient.rows, x.cols, gradient.cols);
        T* bias = biasPartials ? biasPartials + index * gradient.cols : nullptr;
        if (bias)
            std::fill_n(bias, gradient.cols, T{0});
        View<T> partial{weightPartials, weight.rows, weight.cols, weight.cols};
        partial.data += weightHere ? index * weight.rows * weight.cols : 0;
        for (std::int64_t row = chunks.begin(index); row < end; row += tile) {
            context.throwIfStopped();
            const View<T> g = rowsOf(gradient, row, std::min(tile, end - row));
            for (std::int64_t i = 0; i < g.rows; ++i) {
                T* line = g.data + i * g.stride;
                if (operands.z.data)
                    activateBackward(operands.activation, operands.z.data + (row + i) * operands.z.stride, line, g.cols);
                if (bias)
                    addScaled(T{1}, line, bias, g.cols);
            }
            if (dx)
                multiply(Op::None, operands.transposed ? Op::Transpose : Op::None, T{1}, readOnly(g), weight, dx.add ? T{1} : T{0}, rowsOf(dx.view, row, g.rows));
            if (weightHere)
                addWeight(readOnly(g), rowsOf(x, row, g.rows), row == chunks.begin(index) ? T{0} : T{1}, partial);
        }
    }
    void addWeight(View<const T> g, View<const T> x, T beta, View<T> out) const
    {
        if (operands.transposed)
            multiply(Op::Transpose, Op::None, T{1}, x, g, beta, out);
        else
            multiply(Op::Transpose, Op::None, T{1}, g, x, beta, out);
    }
    /// The weight gradient cut by its own rows, each over all of x: for weights too large for partial sums.
    void weightAlone() const
    {
        const Tiling rows(dw.view.rows, 256);
        forTiles(context, rows.count, [&](std::int64_t tile) {
            const View<T> out = rowsOf(dw.view, rows.begin(tile), rows.extent(tile));
            for (std::int64_t row = 0; row < gradient.rows; row += 1024) {
                context.throwIfStopped();
                const std::int64_t count = std::min<std::int64_t>(1024, gradient.rows - row);
                View<const T> g = rowsOf(readOnly(gradient), row, count), x = rowsOf(operands.x.value(), row, count);
                (operands.transposed ? x : g) = columnsOf(operands.transposed ? x : g, rows.begin(tile), rows.extent(tile));
                addWeight(g, x, row > 0 || dw.add ? T{1} : T{0}, out);
            }
        });
    }
};

template <class T> void backward(Tape<T>& tape, const Operands<T>& operands, View<T> gradient)
{
    const std::int64_t in = operands.x.cols(), out = gradient.cols;
    const std::int64_t chunks = std::clamp<std::int64_t>(gradient.rows / tileRows(gradient.rows, in, out), 1, kChunks);
    BackwardPass<T> pass{.context = tape.context(), .operands = operands, .gradient = gradient, .dx = tape.target(operands.x),
                         .dw = tape.target(operands.weight), .db = operands.bias ? tape.target(operands.bias) : GradientTarget<T>{},
                         .chunks = Tiling(gradient.rows, (gradient.rows + chunks - 1) / chunks)};
    const std::int64_t weightSize = in * out, count = pass.chunks.count;
    pass.weightHere = pass.dw && count * weightSize <= kPartialElements;
    pass.weightPartials = pass.weightHere ? tape.borrow(count * weightSize) : nullptr;
    pass.biasPartials = pass.db ? tape.borrow(count * out) : nullptr;
    if (operands.z.data || pass.dx || pass.db || pass.weightHere)
        forTiles(tape.context(), count, [&](std::int64_t index) { pass.chunk(index); });
    if (pass.weightHere)
        addPartials<T>(tape.context(), pass.weightPartials, count, pass.dw);
    else if (pass.dw)
        pass.weightAlone();
    if (pass.db)
        addPartials<T>(tape.context(), pass.biasPartials, count, pass.db);
    if (pass.weightPartials)
        tape.release(pass.weightPartials, count * weightSize);
    if (pass.biasPartials)
        tape.release(pass.biasPartials, count * out);
}

template <class T> Variable<T> apply(Operands<T> operands)
{
    const std::int64_t out = operands.transposed ? operands.weight.cols() : operands.weight.rows();
    const std::int64_t in = operands.transposed ? operands.weight.rows() : operands.weight.cols();
    const std::int64_t rows = operands.x.rows();
    if (operands.x.cols() != in || rows == 0)
        refuseShapes("linear", "x " + shapeOf(operands.x), "[at least 1, " + std::to_string(in) + "] for a weight " + shapeOf(operands.weight));
    if (operands.bias && (operands.bias.rows() != 1 || operands.bias.cols() != out))
        refuseShapes("linear", "a bias " + shapeOf(operands.bias), "[1, " + std::to_string(out) + "]");
    if (operands.base && (operands.base.rows() != rows || operands.base.cols() != out))
        refuseShapes("linear", "a base " + shapeOf(operands.base), "[" + std::to_string(rows) + ", " + std::to_string(out) + "]");
    Tape<T>& tape = operands.x.tape();
    const Variable<T> y = tape.output(rows, out, {operands.x, operands.weight, operands.bias, operands.base});
    if (operands.activation != Activation::None)
        operands.z = {tape.template scratch<T>(rows * out), rows, out, out};
    forward(tape.context(), operands, tape.mutableValue(y));
    tape.onBackward(y, [operands, y](View<T> gradient) {
        Tape<T>& owner = operands.x.tape();
        backward(owner, operands, gradient);
        if (operands.base)
            owner.passOn(y, gradient, operands.base);
    });
    return y;
}
} // namespace

template <class T> Variable<T> linear(Variable<T> x, Variable<T> weight, Variable<T> bias, Activation activation)
{
    return apply<T>({.x = x, .weight = weight, .bias = bias, .activation = activation});
}

template <class T> Variable<T> linearResidual(Variable<T> x, Variable<T> weight, Variable<T> bias, Variable<T> base)
{
    return apply<T>({.x = x, .weight = weight, .bias = bias, .base = base});
}

template <class T> Variable<T> lowRankLinear(Variable<T> x, Variable<T> b, Variable<T> a, Variable<T> bias)
{
    return linear(linear(x, a), b, bias);
}

template <class T> Variable<T> product(Variable<T> x, Variable<T> w) { return apply<T>({.x = x, .weight = w, .transposed = true}); }

#define TAMIS_LINEAR_OPS(T)                                                                                                   \
    template Variable<T> linear<T>(Variable<T>, Variable<T>, Variable<T>, Activation);                                        \
    template Variable<T> linearResidual<T>(Variable<T>, Variable<T>, Variable<T>, Variable<T>);                               \
    template Variable<T> lowRankLinear<T>(Variable<T>, Variable<T>, Variable<T>, Variable<T>);                                \
    template Variable<T> product<T>(Variable<T>, Variable<T>)
TAMIS_LINEAR_OPS(float);
TAMIS_LINEAR_OPS(double);
#undef TAMIS_LINEAR_OPS

} // namespace tamis::train
