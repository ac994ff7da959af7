// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/trigonometric_ops.h"

#include "core/train/functions.h"
#include "core/train/products.h"

#include <algorithm>
#include <cmath>

namespace tamis::train {
namespace {
template <class V> V headOf(V all, std::int64_t sequence, std::int64_t tokens, std::int64_t head, std::int64_t width)
{
    return columnsOf(rowsOf(all, sequence * tokens, tokens), head * width, width);
}

template <class T> struct Trigonometric {
    Variable<T> x;
    View<const T> directions;
    View<T> out;
    std::int64_t sequences = 1, heads = 1, tokens = 0;
    T factor = 1, ratio = 1;
    bool keys = false;

    std::int64_t count() const { return directions.rows; }
    std::int64_t dim() const { return directions.cols; }
    T halfSquare(const T* row) const { return T{0.5} * factor * factor * dot(row, row, dim()); }

    void forward(std::int64_t sequence, std::int64_t head) const
    {
        const View<const T> own = headOf(x.value(), sequence, tokens, head, dim());
        const View<T> block = headOf(out, sequence, tokens, head, 2 * count());
        multiply(Op::None, Op::Transpose, factor, own, directions, T{0}, columnsOf(block, 0, count()));
        T most = 0;
        for (std::int64_t i = 0; keys && i < tokens; ++i)
            most = std::max(most, halfSquare(own.data + i * own.stride));
        for (std::int64_t i = 0; i < tokens; ++i) {
            T* line = block.data + i * block.stride;
            const T size = keys ? ratio * std::exp(halfSquare(own.data + i * own.stride) - most) : ratio;
            for (std::int64_t j = 0; j < count(); ++j) {
                const T along = line[j];
                line[j] = size * std::cos(along);
                line[count() + j] = size * std::sin(along);
            }
        }
    }

    /// With c and s the two features of a direction: d(w . y) = c gs - s gc; of keys besides dy += y sum (c gc + s gs).
    void backward(std::int64_t sequence, std::int64_t head, View<const T> gradient, const GradientTarget<T>& target) const
    {
        const View<const T> own = headOf(x.value(), sequence, tokens, head, dim()), features = headOf(readOnly(out), sequence, tokens, head, 2 * count()),
                            g = headOf(gradient, sequence, tokens, head, 2 * count());
        tensor::Matrix<T> along(tokens, count());
        for (std::int64_t i = 0; i < tokens; ++i)
            for (std::int64_t j = 0; j < count(); ++j)
                along(i, j) = features(i, j) * g(i, count() + j) - features(i, count() + j) * g(i, j);
        const View<T> to = headOf(target.view, sequence, tokens, head, dim());
        multiply(Op::None, Op::None, factor, along.view(), directions, target.add ? T{1} : T{0}, to);
        for (std::int64_t i = 0; keys && i < tokens; ++i)
            addScaled(factor * factor * dot(features.data + i * features.stride, g.data + i * g.stride, 2 * count()), own.data + i * own.stride, to.data + i * to.stride, dim());
    }
};
} // namespace

template <class T> Variable<T> trigonometricFeatures(Variable<T> x, View<const T> directions, const TrigonometricShape& shape)
{
    require(shape.sequences > 0 && shape.heads > 0 && directions.rows > 0, "trigonometricFeatures", "there must be a sequence, a head and a direction");
    if (x.cols() != shape.heads * directions.cols || x.rows() % shape.sequences != 0)
        refuseShapes("trigonometricFeatures", shapeOf(x), "[" + std::to_string(shape.sequences) + " tokens, " + std::to_string(shape.heads * directions.cols) + "]");
    Tape<T>& tape = x.tape();
    const Variable<T> y = tape.output(x.rows(), 2 * shape.heads * directions.rows, {x});
    const Trigonometric<T> all{x, directions, tape.mutableValue(y), shape.sequences, shape.heads, x.rows() / shape.sequences, static_cast<T>(shape.factor),
                               1 / std::sqrt(static_cast<T>(directions.rows)), shape.keys};
    forTiles(tape.context(), all.sequences * all.heads, [&](std::int64_t i) { all.forward(i / all.heads, i % all.heads); });
    tape.onBackward(y, [all](View<T> gradient) {
        Tape<T>& owner = all.x.tape();
        if (const GradientTarget<T> dx = owner.target(all.x))
            forTiles(owner.context(), all.sequences * all.heads, [&](std::int64_t i) { all.backward(i / all.heads, i % all.heads, readOnly(gradient), dx); });
    });
    return y;
}

template Variable<float> trigonometricFeatures(Variable<float>, View<const float>, const TrigonometricShape&);
template Variable<double> trigonometricFeatures(Variable<double>, View<const double>, const TrigonometricShape&);

} // namespace tamis::train
