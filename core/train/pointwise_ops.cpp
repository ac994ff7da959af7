// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/pointwise_ops.h"

#include "core/train/counter_random.h"
#include "core/train/functions.h"
#include "core/train/products.h"

namespace tamis::train {
namespace {
using kernels::Activation;

template <class T> void requireSame(const char* operation, Variable<T> a, Variable<T> b)
{
    if (a.rows() != b.rows() || a.cols() != b.cols())
        refuseShapes(operation, shapeOf(a) + " and " + shapeOf(b), "equal shapes");
}

template <class T> void requireRow(const char* operation, Variable<T> x, Variable<T> row)
{
    if (row.rows() != 1 || row.cols() != x.cols())
        refuseShapes(operation, shapeOf(x) + " and a row " + shapeOf(row), "[1, " + std::to_string(x.cols()) + "]");
}

/// each(row) for all rows, some 64 Ki elements a task.
template <class Each> void eachRow(const RunContext& context, std::int64_t rows, std::int64_t cols, const Each& each)
{
    const Tiling tiles(rows, rowsPerTask(cols));
    forTiles(context, tiles.count, [&](std::int64_t tile) {
        for (std::int64_t i = tiles.begin(tile); i < tiles.begin(tile) + tiles.extent(tile); ++i)
            each(i);
    });
}

template <class T> T* at(View<T> view, std::int64_t row) { return view.data + row * view.stride; }

/// target (+)= term(row, j) for all elements.
template <class T, class Term> void contribute(const RunContext& context, GradientTarget<T> target, const Term& term)
{
    if (!target)
        return;
    eachRow(context, target.view.rows, target.view.cols, [&](std::int64_t i) {
        T* out = at(target.view, i);
        if (target.add)
            for (std::int64_t j = 0; j < target.view.cols; ++j)
                out[j] += term(i, j);
        else
            for (std::int64_t j = 0; j < target.view.cols; ++j)
                out[j] = term(i, j);
    });
}

/// target (+)= column sums of term(row, j) over `rows` rows, in chunks of fixed size added in their order.
template <class T, class Term> void contributeRow(Tape<T>& tape, GradientTarget<T> target, std::int64_t rows, const Term& term)
{
    if (!target)
        return;
    const std::int64_t cols = target.view.cols;
    const Tiling chunks(rows, std::max(rowsPerTask(cols), (rows + 63) / 64));
    T* partials = tape.borrow(chunks.count * cols);
    forTiles(tape.context(), chunks.count, [&](std::int64_t chunk) {
        T* own = partials + chunk * cols;
        std::fill_n(own, cols, T{0});
        for (std::int64_t i = chunks.begin(chunk); i < chunks.begin(chunk) + chunks.extent(chunk); ++i)
            for (std::int64_t j = 0; j < cols; ++j)
                own[j] += term(i, j);
    });
    if (!target.add)
        std::fill_n(target.view.data, cols, T{0});
    for (std::int64_t c = 0; c < chunks.count; ++c)
        addScaled(T{1}, partials + c * cols, target.view.data, cols);
    tape.release(partials, chunks.count * cols);
}

template <class T> Variable<T> sumWithSign(const char* operation, Variable<T> a, Variable<T> b, T sign)
{
    requireSame(operation, a, b);
    Tape<T>& tape = a.tape();
    const Variable<T> y = tape.output(a.rows(), a.cols(), {a, b});
    const View<const T> left = a.value(), right = b.value();
    const View<T> out = tape.mutableValue(y);
    eachRow(tape.context(), out.rows, out.cols, [&](std::int64_t i) {
        const T *l = at(left, i), *r = at(right, i);
        T* o = at(out, i);
        for (std::int64_t j = 0; j < out.cols; ++j)
            o[j] = l[j] + sign * r[j];
    });
    tape.onBackward(y, [a, b, y, sign](View<T> gradient) {
        Tape<T>& owner = a.tape();
        contribute(owner.context(), owner.target(b), [&](std::int64_t i, std::int64_t j) { return sign * gradient(i, j); });
        owner.passOn(y, gradient, a);
    });
    return y;
}

template <class T> Variable<T> withRow(const char* operation, Variable<T> x, Variable<T> row, bool product)
{
    requireRow(operation, x, row);
    Tape<T>& tape = x.tape();
    const Variable<T> y = tape.output(x.rows(), x.cols(), {x, row});
    const View<const T> in = x.value(), factor = row.value();
    const View<T> out = tape.mutableValue(y);
    eachRow(tape.context(), out.rows, out.cols, [&](std::int64_t i) {
        const T* from = at(in, i);
        T* o = at(out, i);
        for (std::int64_t j = 0; j < out.cols; ++j)
            o[j] = product ? from[j] * factor.data[j] : from[j] + factor.data[j];
    });
    tape.onBackward(y, [x, row, y, product](View<T> gradient) {
        Tape<T>& owner = x.tape();
        const View<const T> from = x.value(), by = row.value();
        contributeRow(owner, owner.target(row), gradient.rows,
                      [&](std::int64_t i, std::int64_t j) { return product ? gradient(i, j) * from(i, j) : gradient(i, j); });
        if (product)
            contribute(owner.context(), owner.target(x), [&](std::int64_t i, std::int64_t j) { return gradient(i, j) * by.data[j]; });
        else
            owner.passOn(y, gradient, x);
    });
    return y;
}

/// A sum over all elements of term(x), its gradient slope(x).
template <class T, class Term, class Slope> Variable<T> reduceAll(Variable<T> x, Term term, Slope slope)
{
    Tape<T>& tape = x.tape();
    const Variable<T> y = tape.output(1, 1, {x});
    const View<const T> in = x.value();
    T* sums = tape.borrow(std::max<std::int64_t>(1, in.rows));
    eachRow(tape.context(), in.rows, in.cols, [&](std::int64_t i) { sums[i] = term(at(in, i), in.cols); });
    tape.mutableValue(y).data[0] = sum(sums, in.rows);
    tape.release(sums, std::max<std::int64_t>(1, in.rows));
    tape.onBackward(y, [x, slope](View<T> gradient) {
        Tape<T>& owner = x.tape();
        const View<const T> from = x.value();
        const T factor = gradient.data[0];
        contribute(owner.context(), owner.target(x), [&](std::int64_t i, std::int64_t j) { return factor * slope(from(i, j)); });
    });
    return y;
}
} // namespace

template <class T> Variable<T> add(Variable<T> a, Variable<T> b) { return sumWithSign<T>("add", a, b, T{1}); }
template <class T> Variable<T> subtract(Variable<T> a, Variable<T> b) { return sumWithSign<T>("subtract", a, b, T{-1}); }
template <class T> Variable<T> multiplyRow(Variable<T> x, Variable<T> row) { return withRow("multiplyRow", x, row, true); }
template <class T> Variable<T> addRow(Variable<T> x, Variable<T> row) { return withRow("addRow", x, row, false); }

template <class T> Variable<T> scale(Variable<T> x, T factor)
{
    Tape<T>& tape = x.tape();
    const Variable<T> y = tape.output(x.rows(), x.cols(), {x});
    const View<const T> in = x.value();
    contribute<T>(tape.context(), {tape.mutableValue(y), false}, [&](std::int64_t i, std::int64_t j) { return factor * in(i, j); });
    tape.onBackward(y, [x, factor](View<T> gradient) {
        Tape<T>& owner = x.tape();
        contribute(owner.context(), owner.target(x), [&](std::int64_t i, std::int64_t j) { return factor * gradient(i, j); });
    });
    return y;
}

template <class T> Variable<T> multiplyElements(Variable<T> a, Variable<T> b)
{
    requireSame("multiplyElements", a, b);
    Tape<T>& tape = a.tape();
    const Variable<T> y = tape.output(a.rows(), a.cols(), {a, b});
    const View<const T> left = a.value(), right = b.value();
    contribute<T>(tape.context(), {tape.mutableValue(y), false}, [&](std::int64_t i, std::int64_t j) { return left(i, j) * right(i, j); });
    tape.onBackward(y, [a, b](View<T> gradient) {
        Tape<T>& owner = a.tape();
        const View<const T> l = a.value(), r = b.value();
        contribute(owner.context(), owner.target(a), [&](std::int64_t i, std::int64_t j) { return gradient(i, j) * r(i, j); });
        contribute(owner.context(), owner.target(b), [&](std::int64_t i, std::int64_t j) { return gradient(i, j) * l(i, j); });
    });
    return y;
}

template <class T> Variable<T> activation(Variable<T> x, Activation kind)
{
    Tape<T>& tape = x.tape();
    const Variable<T> y = tape.output(x.rows(), x.cols(), {x});
    const View<const T> in = x.value();
    const View<T> out = tape.mutableValue(y);
    eachRow(tape.context(), out.rows, out.cols, [&](std::int64_t i) { activate(kind, at(in, i), at(out, i), out.cols); });
    tape.onBackward(y, [x, y, kind](View<T> gradient) {
        Tape<T>& owner = x.tape();
        const View<const T> z = x.value();
        eachRow(owner.context(), gradient.rows, gradient.cols,
                [&](std::int64_t i) { activateBackward(kind, at(z, i), at(gradient, i), gradient.cols); });
        owner.passOn(y, gradient, x);
    });
    return y;
}

template <class T> Variable<T> sigmoid(Variable<T> x)
{
    Tape<T>& tape = x.tape();
    const Variable<T> y = tape.output(x.rows(), x.cols(), {x});
    const View<const T> in = x.value();
    const View<T> out = tape.mutableValue(y);
    eachRow(tape.context(), out.rows, out.cols, [&](std::int64_t i) { sigmoid(at(in, i), at(out, i), out.cols); });
    tape.onBackward(y, [x, y](View<T> gradient) {
        Tape<T>& owner = x.tape();
        const View<const T> s = y.value();
        contribute(owner.context(), owner.target(x), [&](std::int64_t i, std::int64_t j) { return gradient(i, j) * s(i, j) * (T{1} - s(i, j)); });
    });
    return y;
}

template <class T> Variable<T> gatedProduct(Variable<T> gate, Variable<T> up, Activation kind)
{
    requireSame("gatedProduct", gate, up);
    Tape<T>& tape = gate.tape();
    const std::int64_t rows = gate.rows(), cols = gate.cols();
    const Variable<T> y = tape.output(rows, cols, {gate, up});
    const View<T> opened{tape.template scratch<T>(rows * cols), rows, cols, cols};
    const View<const T> z = gate.value(), factor = up.value();
    const View<T> out = tape.mutableValue(y);
    eachRow(tape.context(), rows, cols, [&](std::int64_t i) {
        activate(kind, at(z, i), at(opened, i), cols);
        for (std::int64_t j = 0; j < cols; ++j)
            at(out, i)[j] = at(opened, i)[j] * at(factor, i)[j];
    });
    tape.onBackward(y, [gate, up, y, kind, opened](View<T> gradient) {
        Tape<T>& owner = gate.tape();
        const View<const T> before = gate.value(), by = up.value();
        contribute(owner.context(), owner.target(up), [&](std::int64_t i, std::int64_t j) { return gradient(i, j) * opened(i, j); });
        if (!owner.needsGradient(gate))
            return;
        eachRow(owner.context(), gradient.rows, gradient.cols, [&](std::int64_t i) {
            for (std::int64_t j = 0; j < gradient.cols; ++j)
                at(gradient, i)[j] *= at(by, i)[j];
            activateBackward(kind, at(before, i), at(gradient, i), gradient.cols);
        });
        owner.passOn(y, gradient, gate);
    });
    return y;
}

template <class T> Variable<T> stopGradient(Variable<T> x) { return x.tape().constant(x.value()); }

template <class T> Variable<T> dropout(Variable<T> x, double rate, std::uint64_t seed)
{
    require(rate >= 0 && rate < 1, "dropout", "the rate must be at least 0 and less than 1");
    Tape<T>& tape = x.tape();
    const Variable<T> y = tape.output(x.rows(), x.cols(), {x});
    const View<const T> in = x.value();
    const std::int64_t cols = x.cols();
    const auto factor = [rate, seed, cols](std::int64_t i, std::int64_t j) {
        return uniformAt(seed, static_cast<std::uint64_t>(i * cols + j)) < rate ? T{0} : static_cast<T>(1.0 / (1.0 - rate));
    };
    contribute<T>(tape.context(), {tape.mutableValue(y), false}, [&](std::int64_t i, std::int64_t j) { return in(i, j) * factor(i, j); });
    tape.onBackward(y, [x, factor](View<T> gradient) {
        Tape<T>& owner = x.tape();
        contribute(owner.context(), owner.target(x), [&](std::int64_t i, std::int64_t j) { return gradient(i, j) * factor(i, j); });
    });
    return y;
}

template <class T> Variable<T> sumAll(Variable<T> x)
{
    return reduceAll(x, [](const T* row, std::int64_t count) { return sum(row, count); }, [](T) { return T{1}; });
}

template <class T> Variable<T> sumSquares(Variable<T> x)
{
    return reduceAll(x, [](const T* row, std::int64_t count) { return dot(row, row, count); }, [](T value) { return T{2} * value; });
}

#define TAMIS_POINTWISE_OPS(T)                                                                                                \
    template Variable<T> add<T>(Variable<T>, Variable<T>);                                                                    \
    template Variable<T> subtract<T>(Variable<T>, Variable<T>);                                                               \
    template Variable<T> scale<T>(Variable<T>, T);                                                                            \
    template Variable<T> multiplyElements<T>(Variable<T>, Variable<T>);                                                       \
    template Variable<T> multiplyRow<T>(Variable<T>, Variable<T>);                                                            \
    template Variable<T> addRow<T>(Variable<T>, Variable<T>);                                                                 \
    template Variable<T> activation<T>(Variable<T>, Activation);                                                              \
    template Variable<T> sigmoid<T>(Variable<T>);                                                                             \
    template Variable<T> gatedProduct<T>(Variable<T>, Variable<T>, Activation);                                               \
    template Variable<T> stopGradient<T>(Variable<T>);                                                                        \
    template Variable<T> dropout<T>(Variable<T>, double, std::uint64_t);                                                      \
    template Variable<T> sumAll<T>(Variable<T>);                                                                              \
    template Variable<T> sumSquares<T>(Variable<T>)
TAMIS_POINTWISE_OPS(float);
TAMIS_POINTWISE_OPS(double);
#undef TAMIS_POINTWISE_OPS

} // namespace tamis::train
