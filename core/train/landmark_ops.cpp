// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/landmark_ops.h"

#include "core/train/products.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace tamis::train {
namespace {
template <class V> V blockOf(V all, std::int64_t sequence, std::int64_t rows, std::int64_t head, std::int64_t width)
{
    return columnsOf(rowsOf(all, sequence * rows, rows), head * width, width);
}

/// c = alpha op(a) op(b), in a matrix of its own. Looks for a stop before: of thousands of landmarks a product is long.
template <class T> tensor::Matrix<T> times(const RunContext& context, Op opA, Op opB, T alpha, std::type_identity_t<View<const T>> a, std::type_identity_t<View<const T>> b)
{
    context.throwIfStopped();
    tensor::Matrix<T> c(opA == Op::None ? a.rows : a.cols, opB == Op::None ? b.cols : b.rows);
    multiply(opA, opB, alpha, a, b, T{0}, c.view());
    return c;
}

/// diagonal I - x
template <class T> tensor::Matrix<T> takenFrom(T diagonal, const tensor::Matrix<T>& x)
{
    tensor::Matrix<T> result(x.rows(), x.cols());
    for (std::int64_t i = 0; i < x.rows(); ++i)
        for (std::int64_t j = 0; j < x.cols(); ++j)
            result(i, j) = (i == j ? diagonal : T{0}) - x(i, j);
    return result;
}

/// The largest sums of magnitudes, and where they are.
template <class T> struct Norms {
    T row = 0, column = 0;
    std::int64_t rowAt = 0, columnAt = 0;
    explicit Norms(View<const T> a)
    {
        for (std::int64_t i = 0; i < a.rows; ++i) {
            T across = 0, down = 0;
            for (std::int64_t j = 0; j < a.cols; ++j) {
                across += std::abs(a(i, j));
                down += std::abs(a(j, i));
            }
            if (across > row) {
                row = across;
                rowAt = i;
            }
            if (down > column) {
                column = down;
                columnAt = i;
            }
        }
    }
};

/// Of one step with P = A Z: the inner factors, S1 = 7 I - P, S2 = 15 I - P S1, S3 = 13 I - P S2; Z' = Z S3 / 4.
template <class T> struct Step {
    tensor::Matrix<T> p, s1, s2, s3;
    Step(const RunContext& context, View<const T> a, View<const T> z)
        : p(times(context, Op::None, Op::None, T{1}, a, z)), s1(takenFrom(T{7}, p)), s2(takenFrom(T{15}, times(context, Op::None, Op::None, T{1}, p.view(), s1.view()))),
          s3(takenFrom(T{13}, times(context, Op::None, Op::None, T{1}, p.view(), s2.view())))
    {
    }
};

template <class T> struct Landmarks {
    Variable<T> a, x;
    std::int64_t sequences = 1, heads = 1, size = 0, width = 0;
    int iterations = 0;
    T* inverses = nullptr; ///< [sequences, heads, iterations + 1, size, size]
    View<T> out;

    View<T> inverse(std::int64_t sequence, std::int64_t head, int step) const
    {
        return {inverses + ((sequence * heads + head) * (iterations + 1) + step) * size * size, size, size, size};
    }
    View<const T> square(std::int64_t sequence, std::int64_t head) const { return blockOf(a.value(), sequence, size, head, size); }

    void forward(const RunContext& context, std::int64_t sequence, std::int64_t head) const
    {
        const View<const T> own = square(sequence, head);
        const Norms<T> norms(own);
        const View<T> start = inverse(sequence, head, 0);
        for (std::int64_t i = 0; i < size; ++i)
            for (std::int64_t j = 0; j < size; ++j)
                start(i, j) = own(j, i) / (norms.row * norms.column);
        for (int step = 0; step < iterations; ++step) {
            context.throwIfStopped();
            const View<const T> z = readOnly(inverse(sequence, head, step));
            multiply(Op::None, Op::None, T{0.25}, z, Step<T>(context, own, z).s3.view(), T{0}, inverse(sequence, head, step + 1));
        }
        multiply(Op::None, Op::None, T{1}, readOnly(inverse(sequence, head, iterations)), blockOf(x.value(), sequence, size, head, width), T{0}, blockOf(out, sequence, size, head, width));
    }

    void backward(const RunContext& context, View<const T> gradient, const GradientTarget<T>& da, const GradientTarget<T>& dx, std::int64_t sequence, std::int64_t head) const
    {
        const View<const T> g = blockOf(gradient, sequence, size, head, width);
        if (dx)
            multiply(Op::Transpose, Op::None, T{1}, readOnly(inverse(sequence, head, iterations)), g, dx.add ? T{1} : T{0}, blockOf(dx.view, sequence, size, head, width));
        if (!da)
            return;
        const View<const T> own = square(sequence, head);
        tensor::Matrix<T> sum(size, size); // d loss / d A
        tensor::Matrix<T> dz = times(context, Op::None, Op::Transpose, T{1}, g, blockOf(x.value(), sequence, size, head, width));
        for (int step = iterations - 1; step >= 0; --step) {
            context.throwIfStopped();
            dz = stepBack(context, own, readOnly(inverse(sequence, head, step)), dz, sum);
        }
        startBack(own, dz, sum);
        const View<T> to = blockOf(da.view, sequence, size, head, size);
        for (std::int64_t i = 0; i < size; ++i)
            for (std::int64_t j = 0; j < size; ++j)
                to(i, j) = (da.add ? to(i, j) : T{0}) + sum(i, j);
    }

private:
    /// d loss / d Z from that of Z'; adds to that of A.
    static tensor::Matrix<T> stepBack(const RunContext& context, View<const T> own, View<const T> z, const tensor::Matrix<T>& next, tensor::Matrix<T>& sum)
    {
        const Step<T> step(context, own, z);
        const auto d3 = times(context, Op::Transpose, Op::None, T{0.25}, z, next.view());
        const auto d2 = times(context, Op::Transpose, Op::None, T{-1}, step.p.view(), d3.view());
        tensor::Matrix<T> dp = times(context, Op::Transpose, Op::None, T{1}, step.p.view(), d2.view()); // - d S1
        context.throwIfStopped();
        multiply(Op::None, Op::Transpose, T{-1}, d3.view(), step.s2.view(), T{1}, dp.view());
        context.throwIfStopped();
        multiply(Op::None, Op::Transpose, T{-1}, d2.view(), step.s1.view(), T{1}, dp.view());
        tensor::Matrix<T> dz = times(context, Op::None, Op::Transpose, T{0.25}, next.view(), step.s3.view());
        context.throwIfStopped();
        multiply(Op::Transpose, Op::None, T{1}, own, dp.view(), T{1}, dz.view());
        context.throwIfStopped();
        multiply(Op::None, Op::Transpose, T{1}, dp.view(), z, T{1}, sum.view());
        return dz;
    }
    /// Z_0 = A^T / (r c), r the largest row's sum of magnitudes, c the largest column's.
    static void startBack(View<const T> own, const tensor::Matrix<T>& dz, tensor::Matrix<T>& sum)
    {
        const Norms<T> norms(own);
        const T both = norms.row * norms.column;
        T along = 0;
        for (std::int64_t i = 0; i < own.rows; ++i)
            for (std::int64_t j = 0; j < own.rows; ++j) {
                sum(j, i) += dz(i, j) / both;
                along -= dz(i, j) * own(j, i) / (both * both);
            }
        for (std::int64_t j = 0; j < own.rows; ++j) {
            sum(norms.rowAt, j) += along * norms.column * std::copysign(T{1}, own(norms.rowAt, j));
            sum(j, norms.columnAt) += along * norms.row * std::copysign(T{1}, own(j, norms.columnAt));
        }
    }
};
} // namespace

template <class T> Variable<T> landmarkProducts(Variable<T> a, Variable<T> x, const LandmarkShape& shape)
{
    require(shape.sequences > 0 && shape.heads > 0 && shape.iterations >= 0, "landmarkProducts", "sequences and heads must be 1 at least, iterations 0 at least");
    if (a.rows() != x.rows() || a.rows() % shape.sequences != 0 || a.cols() != shape.heads * (a.rows() / shape.sequences) || x.cols() % shape.heads != 0)
        refuseShapes("landmarkProducts", shapeOf(a) + " and " + shapeOf(x), "squares side by side for " + std::to_string(shape.heads) + " heads and " + std::to_string(shape.sequences) + " sequences, and as many rows");
    Tape<T>& tape = a.tape();
    Landmarks<T> all{a, x, shape.sequences, shape.heads, a.rows() / shape.sequences, x.cols() / shape.heads, shape.iterations, nullptr, {}};
    all.inverses = tape.template scratch<T>(all.sequences * all.heads * (all.iterations + 1) * all.size * all.size);
    const Variable<T> out = tape.output(x.rows(), x.cols(), {a, x});
    all.out = tape.mutableValue(out);
    forTiles(tape.context(), all.sequences * all.heads, [&](std::int64_t i) { all.forward(tape.context(), i / all.heads, i % all.heads); });
    tape.onBackward(out, [all](View<T> gradient) {
        Tape<T>& own = all.a.tape();
        const GradientTarget<T> da = own.target(all.a), dx = own.target(all.x);
        forTiles(own.context(), all.sequences * all.heads, [&](std::int64_t i) { all.backward(own.context(), readOnly(gradient), da, dx, i / all.heads, i % all.heads); });
    });
    return out;
}

template Variable<float> landmarkProducts(Variable<float>, Variable<float>, const LandmarkShape&);
template Variable<double> landmarkProducts(Variable<double>, Variable<double>, const LandmarkShape&);

} // namespace tamis::train
