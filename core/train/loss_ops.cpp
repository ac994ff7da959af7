// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/loss_ops.h"

#include "core/base/error.h"
#include "core/train/functions.h"
#include "core/train/pointwise_ops.h"
#include "core/train/products.h"

#include <algorithm>
#include <cmath>

namespace tamis::train {
namespace {
template <class T> T* at(View<T> view, std::int64_t row) { return view.data + row * view.stride; }

template <class Each> void eachRow(const RunContext& context, std::int64_t rows, std::int64_t cols, const Each& each)
{
    const Tiling tiles(rows, rowsPerTask(cols));
    forTiles(context, tiles.count, [&](std::int64_t tile) {
        for (std::int64_t i = tiles.begin(tile); i < tiles.begin(tile) + tiles.extent(tile); ++i)
            each(i);
    });
}

/// row = softmax(scale row); returns the log of the sum of exp(scale row).
template <class T> T softmaxRow(T* row, T scale, std::int64_t count)
{
    const ExpSum<T> sums = expShifted(row, scale, count);
    scaleRow(T{1} / sums.sum, row, count);
    return sums.maximum + std::log(sums.sum);
}

/// target (+)= factor * values, row by row.
template <class T> void addRows(const RunContext& context, GradientTarget<T> target, View<const T> values, T factor)
{
    eachRow(context, values.rows, values.cols, [&](std::int64_t i) {
        const T* from = at(values, i);
        T* to = at(target.view, i);
        for (std::int64_t j = 0; j < values.cols; ++j)
            to[j] = target.add ? to[j] + factor * from[j] : factor * from[j];
    });
}

/// A loss whose gradient is `slopes` already.
template <class T> Variable<T> lossWithSlopes(Tape<T>& tape, Variable<T> source, T value, View<const T> slopes)
{
    const Variable<T> y = tape.output(1, 1, {source});
    tape.mutableValue(y).data[0] = value;
    tape.onBackward(y, [source, slopes](View<T> gradient) {
        Tape<T>& owner = source.tape();
        if (const GradientTarget<T> target = owner.target(source))
            addRows(owner.context(), target, slopes, gradient.data[0]);
    });
    return y;
}
} // namespace

template <class T> Variable<T> crossEntropy(Variable<T> logits, std::span<const std::int32_t> labels, double smoothing)
{
    const View<const T> in = logits.value();
    require(smoothing >= 0 && smoothing < 1, "crossEntropy", "the label smoothing must be at least 0 and less than 1");
    if (static_cast<std::int64_t>(labels.size()) != in.rows)
        refuseShapes("crossEntropy", std::to_string(labels.size()) + " labels for logits " + shapeOf(logits), "one label a row");
    for (const std::int32_t label : labels)
        if (label != kIgnored && (label < 0 || label >= in.cols))
            throw Error(ErrorCode::InvalidParameter, "found label " + std::to_string(label) + ", expected 0 to " + std::to_string(in.cols - 1) + ", or -1",
                        "crossEntropy");
    Tape<T>& tape = logits.tape();
    const View<T> slopes{tape.template scratch<T>(in.rows * in.cols), in.rows, in.cols, in.cols};
    T* losses = tape.template scratch<T>(in.rows);
    const auto counted = in.rows - std::ranges::count(labels, kIgnored);
    const T share = counted > 0 ? T{1} / static_cast<T>(counted) : T{0};
    const T spread = static_cast<T>(smoothing) / static_cast<T>(in.cols), sharp = static_cast<T>(1 - smoothing);
    eachRow(tape.context(), in.rows, in.cols, [&](std::int64_t i) {
        const std::int32_t label = labels[static_cast<std::size_t>(i)];
        T* p = at(slopes, i);
        if (label == kIgnored) {
            std::fill_n(p, in.cols, T{0});
            losses[i] = 0;
            return;
        }
        std::copy_n(at(in, i), in.cols, p);
        const T logSum = softmaxRow(p, T{1}, in.cols);
        losses[i] = logSum - sharp * in(i, label) - (smoothing > 0 ? spread * sum(at(in, i), in.cols) : T{0});
        p[label] -= sharp;
        for (std::int64_t j = 0; j < in.cols; ++j)
            p[j] = share * (p[j] - spread);
    });
    return lossWithSlopes(tape, logits, share * sum(losses, in.rows), readOnly(slopes));
}

template <class T> Variable<T> distillation(Variable<T> logits, Variable<T> teacher, double temperature)
{
    const View<const T> in = logits.value(), target = teacher.value();
    require(temperature > 0, "distillation", "the temperature must be positive");
    if (in.rows != target.rows || in.cols != target.cols || in.rows == 0)
        refuseShapes("distillation", "logits " + shapeOf(logits) + " and a teacher's " + shapeOf(teacher), "equal shapes with a row");
    Tape<T>& tape = logits.tape();
    const View<T> slopes{tape.template scratch<T>(in.rows * in.cols), in.rows, in.cols, in.cols};
    const View<T> teaching{tape.template scratch<T>(in.rows * in.cols), in.rows, in.cols, in.cols};
    T* losses = tape.template scratch<T>(in.rows);
    const T inverse = static_cast<T>(1 / temperature), share = static_cast<T>(temperature) / static_cast<T>(in.rows);
    eachRow(tape.context(), in.rows, in.cols, [&](std::int64_t i) {
        T *p = at(slopes, i), *q = at(teaching, i);
        std::copy_n(at(in, i), in.cols, p);
        std::copy_n(at(target, i), in.cols, q);
        const T logP = softmaxRow(p, inverse, in.cols), logQ = softmaxRow(q, inverse, in.cols);
        T loss = 0; // sum q ((t - s) / temperature - logQ + logP)
        for (std::int64_t j = 0; j < in.cols; ++j)
            loss += q[j] * (inverse * (target(i, j) - in(i, j)) - logQ + logP);
        losses[i] = loss;
        for (std::int64_t j = 0; j < in.cols; ++j)
            p[j] = share * (p[j] - q[j]);
    });
    return lossWithSlopes(tape, logits, share * static_cast<T>(temperature) * sum(losses, in.rows), readOnly(slopes));
}

template <class T> Variable<T> meanSquaredError(Variable<T> a, Variable<T> b)
{
    require(a.rows() > 0 && a.cols() > 0, "meanSquaredError", "there is nothing to average");
    return scale(sumSquares(subtract(a, b)), T{1} / static_cast<T>(a.rows() * a.cols()));
}

template <class T> Variable<T> softmaxRows(Variable<T> x)
{
    Tape<T>& tape = x.tape();
    const Variable<T> y = tape.output(x.rows(), x.cols(), {x});
    const View<const T> in = x.value();
    const View<T> out = tape.mutableValue(y);
    eachRow(tape.context(), in.rows, in.cols, [&](std::int64_t i) {
        std::copy_n(at(in, i), in.cols, at(out, i));
        softmaxRow(at(out, i), T{1}, in.cols);
    });
    tape.onBackward(y, [x, y](View<T> gradient) {
        Tape<T>& owner = x.tape();
        const View<const T> p = y.value();
        eachRow(owner.context(), gradient.rows, gradient.cols, [&](std::int64_t i) {
            T* g = at(gradient, i);
            const T along = dot(g, at(p, i), gradient.cols);
            for (std::int64_t j = 0; j < gradient.cols; ++j)
                g[j] = at(p, i)[j] * (g[j] - along);
        });
        owner.passOn(y, gradient, x);
    });
    return y;
}

#define TAMIS_LOSS_OPS(T)                                                                                                     \
    template Variable<T> crossEntropy<T>(Variable<T>, std::span<const std::int32_t>, double);                                 \
    template Variable<T> distillation<T>(Variable<T>, Variable<T>, double);                                                   \
    template Variable<T> meanSquaredError<T>(Variable<T>, Variable<T>);                                                       \
    template Variable<T> softmaxRows<T>(Variable<T>)
TAMIS_LOSS_OPS(float);
TAMIS_LOSS_OPS(double);
#undef TAMIS_LOSS_OPS

} // namespace tamis::train
