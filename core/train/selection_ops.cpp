// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/selection_ops.h"

#include "core/train/counter_random.h"
#include "core/train/functions.h"
#include "core/train/products.h"

#include <algorithm>
#include <cmath>
#include <vector>

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

/// A gate and its derivative at one place.
template <class T> struct Gate {
    T value = 0, slope = 0;
};

/// y = gate(x, position).value, element by element; the slopes are kept for the way back.
template <class T, class Rule> Variable<T> gateEach(Variable<T> x, const Rule& rule)
{
    Tape<T>& tape = x.tape();
    const Variable<T> y = tape.output(x.rows(), x.cols(), {x});
    const View<const T> in = x.value();
    const View<T> out = tape.mutableValue(y);
    const View<T> slopes{tape.template scratch<T>(in.rows * in.cols), in.rows, in.cols, in.cols};
    eachRow(tape.context(), in.rows, in.cols, [&](std::int64_t i) {
        for (std::int64_t j = 0; j < in.cols; ++j) {
            const Gate<T> gate = rule(in(i, j), static_cast<std::uint64_t>(i * in.cols + j));
            out(i, j) = gate.value;
            slopes(i, j) = gate.slope;
        }
    });
    tape.onBackward(y, [x, slopes](View<T> gradient) {
        Tape<T>& owner = x.tape();
        const GradientTarget<T> target = owner.target(x);
        if (!target)
            return;
        eachRow(owner.context(), gradient.rows, gradient.cols, [&](std::int64_t i) {
            const T *g = at(gradient, i), *s = at(slopes, i);
            T* to = at(target.view, i);
            for (std::int64_t j = 0; j < gradient.cols; ++j)
                to[j] = target.add ? to[j] + g[j] * s[j] : g[j] * s[j];
        });
    });
    return y;
}

/// Marks the k largest of a row with 1, the rest with 0.
template <class T> void markLargest(const T* row, std::int64_t count, std::int64_t k, T* marks)
{
    thread_local std::vector<std::int32_t> order;
    order.resize(static_cast<std::size_t>(count));
    for (std::size_t j = 0; j < order.size(); ++j)
        order[j] = static_cast<std::int32_t>(j);
    std::nth_element(order.begin(), order.begin() + (k - 1), order.end(),
                     [row](std::int32_t a, std::int32_t b) { return row[a] != row[b] ? row[a] > row[b] : a < b; });
    std::fill_n(marks, count, T{0});
    for (std::int64_t j = 0; j < k; ++j)
        marks[order[static_cast<std::size_t>(j)]] = 1;
}

void requireShape(const HardConcrete& shape)
{
    require(shape.temperature > 0 && shape.low < 0 && shape.high > 1, "hard concrete", "the temperature must be positive, low below 0 and high above 1");
}

double sigmoidOf(double x) { return 1 / (1 + std::exp(-x)); }

/// The gate of one uniform draw, and its derivative by the logit.
template <class T> Gate<T> concrete(double argument, double inverse, const HardConcrete& shape)
{
    const double s = sigmoidOf(argument), stretched = s * (shape.high - shape.low) + shape.low;
    const bool inside = stretched > 0 && stretched < 1;
    return {static_cast<T>(std::clamp(stretched, 0.0, 1.0)), static_cast<T>(inside ? inverse * s * (1 - s) * (shape.high - shape.low) : 0)};
}
} // namespace

template <class T> Variable<T> topK(Variable<T> x, std::int64_t k, ChoiceGradient choice)
{
    require(k >= 1 && k <= x.cols() && x.cols() <= std::int64_t{1} << 31U, "topK", "k must be at least 1 and at most the number of columns");
    Tape<T>& tape = x.tape();
    const Variable<T> y = tape.output(x.rows(), x.cols(), {x});
    const View<const T> in = x.value();
    const View<T> out = tape.mutableValue(y);
    const View<T> marks{tape.template scratch<T>(in.rows * in.cols), in.rows, in.cols, in.cols};
    eachRow(tape.context(), in.rows, in.cols, [&](std::int64_t i) {
        markLargest(at(in, i), in.cols, k, at(marks, i));
        for (std::int64_t j = 0; j < in.cols; ++j)
            out(i, j) = marks(i, j) > 0 ? in(i, j) : T{0};
    });
    tape.onBackward(y, [x, y, marks, choice](View<T> gradient) {
        Tape<T>& owner = x.tape();
        if (choice == ChoiceGradient::Kept)
            eachRow(owner.context(), gradient.rows, gradient.cols, [&](std::int64_t i) {
                T* g = at(gradient, i);
                for (std::int64_t j = 0; j < gradient.cols; ++j)
                    g[j] = at(marks, i)[j] > 0 ? g[j] : T{0};
            });
        owner.passOn(y, gradient, x);
    });
    return y;
}

template <class T> Variable<T> bernoulliGate(Variable<T> probabilities, std::uint64_t seed)
{
    return gateEach(probabilities,
                    [seed](T p, std::uint64_t position) { return Gate<T>{uniformAt(seed, position) < static_cast<double>(p) ? T{1} : T{0}, T{1}}; });
}

template <class T> Variable<T> stepGate(Variable<T> x, double threshold)
{
    return gateEach(x, [threshold](T value, std::uint64_t) { return Gate<T>{static_cast<double>(value) > threshold ? T{1} : T{0}, T{1}}; });
}

template <class T> Variable<T> hardConcreteGate(Variable<T> logits, std::uint64_t seed, const HardConcrete& shape)
{
    requireShape(shape);
    return gateEach(logits, [seed, shape](T a, std::uint64_t position) {
        const double u = std::max(uniformAt(seed, position), 0x1.0p-53);
        return concrete<T>((std::log(u) - std::log1p(-u) + static_cast<double>(a)) / shape.temperature, 1 / shape.temperature, shape);
    });
}

template <class T> Variable<T> hardConcreteMean(Variable<T> logits, const HardConcrete& shape)
{
    requireShape(shape);
    return gateEach(logits, [shape](T a, std::uint64_t) { return concrete<T>(static_cast<double>(a), 1, shape); });
}

template <class T> Variable<T> hardConcreteOpen(Variable<T> logits, const HardConcrete& shape)
{
    requireShape(shape);
    return gateEach(logits, [shape](T a, std::uint64_t) {
        const double p = sigmoidOf(static_cast<double>(a) - shape.temperature * std::log(-shape.low / shape.high));
        return Gate<T>{static_cast<T>(p), static_cast<T>(p * (1 - p))};
    });
}

template <class T> Variable<T> rankGate(Variable<T> k, std::int64_t count, double beta)
{
    require(k.rows() == 1 && k.cols() == 1 && count > 0 && beta > 0, "rankGate", "k must be [1, 1], the count and beta positive");
    Tape<T>& tape = k.tape();
    const Variable<T> y = tape.output(1, count, {k});
    const View<T> out = tape.mutableValue(y);
    for (std::int64_t i = 0; i < count; ++i)
        out.data[i] = static_cast<T>(0.5 * std::tanh(beta * (static_cast<double>(tape.scalar(k)) - static_cast<double>(i + 1))) + 0.5);
    tape.onBackward(y, [k, y, beta](View<T> gradient) {
        const GradientTarget<T> target = k.tape().target(k);
        const View<const T> gate = y.value();
        T slope = 0; // d gate / d k = beta / 2 (1 - tanh^2) = 2 beta gate (1 - gate)
        for (std::int64_t i = 0; i < gradient.cols; ++i)
            slope += gradient.data[i] * static_cast<T>(2 * beta) * gate.data[i] * (T{1} - gate.data[i]);
        if (target)
            target.view.data[0] = target.add ? target.view.data[0] + slope : slope;
    });
    return y;
}

#define TAMIS_SELECTION_OPS(T)                                                                                                \
    template Variable<T> topK<T>(Variable<T>, std::int64_t, ChoiceGradient);                                                  \
    template Variable<T> bernoulliGate<T>(Variable<T>, std::uint64_t);                                                        \
    template Variable<T> stepGate<T>(Variable<T>, double);                                                                    \
    template Variable<T> hardConcreteGate<T>(Variable<T>, std::uint64_t, const HardConcrete&);                                \
    template Variable<T> hardConcreteMean<T>(Variable<T>, const HardConcrete&);                                               \
    template Variable<T> hardConcreteOpen<T>(Variable<T>, const HardConcrete&);                                               \
    template Variable<T> rankGate<T>(Variable<T>, std::int64_t, double)
TAMIS_SELECTION_OPS(float);
TAMIS_SELECTION_OPS(double);
#undef TAMIS_SELECTION_OPS

} // namespace tamis::train
