// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/truncation_op.h"

#include "core/base/error.h"
#include "core/train/products.h"
#include "core/train/singular_gap.h"

#include <lapacke.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace tamis::train {
namespace {
using DoubleMatrix = tensor::Matrix<double>;
constexpr std::int64_t kLargestSide = 2048;
constexpr double kSmallestSquare = 1e-13; // of the largest: float activations hold no more

template <class T> DoubleMatrix toDouble(View<T> view)
{
    DoubleMatrix result(view.rows, view.cols);
    for (std::int64_t i = 0; i < view.rows; ++i)
        std::copy_n(view.data + i * view.stride, view.cols, result.data() + i * view.cols);
    return result;
}

DoubleMatrix product(Op opA, Op opB, View<const double> a, View<const double> b)
{
    DoubleMatrix c(opA == Op::None ? a.rows : a.cols, opB == Op::None ? b.cols : b.rows);
    multiply(opA, opB, 1.0, a, b, 0.0, c.view());
    return c;
}

/// Row i of `m` times factor[i].
DoubleMatrix scaledRows(View<const double> m, const double* factor)
{
    DoubleMatrix result = toDouble(m);
    for (std::int64_t i = 0; i < m.rows; ++i)
        for (std::int64_t j = 0; j < m.cols; ++j)
            result(i, j) *= factor[i];
    return result;
}

/// A sample's decomposition in the tape's memory.
struct Kept {
    View<double> u, v;
    double* s = nullptr;
};

template <class T> Kept keep(Tape<T>& tape, std::int64_t rows, std::int64_t cols)
{
    const std::int64_t most = std::min(rows, cols);
    return {{tape.template scratch<double>(most * rows), 0, rows, rows}, {tape.template scratch<double>(most * cols), 0, cols, cols}, tape.template scratch<double>(most)};
}

void fill(Kept& kept, const RowSpace& space)
{
    kept.u.rows = kept.v.rows = static_cast<std::int64_t>(space.s.size());
    std::ranges::copy(space.u.values(), kept.u.data);
    std::ranges::copy(space.v.values(), kept.v.data);
    std::ranges::copy(space.s, kept.s);
}

/// What a sample's step takes: its gates g, M = U^T G V and G V.
struct Backward {
    const Kept& kept;
    const std::vector<double>& g;
    double gap;

    /// D less what the two outside parts count once too often: D - M diag(g) - diag(g) M.
    DoubleMatrix inner(const DoubleMatrix& m) const
    {
        DoubleMatrix d(m.rows(), m.cols());
        for (std::int64_t i = 0; i < d.rows(); ++i)
            for (std::int64_t j = 0; j < d.cols(); ++j) {
                const double si = kept.s[i], sj = kept.s[j], gi = g[static_cast<std::size_t>(i)], gj = g[static_cast<std::size_t>(j)];
                const double slope = i == j ? 0 : (gj - gi) * inverseDifference(si, sj, gap);
                // (g_j s_j^2 - g_i s_i^2) E, written so that it is g for equal gates whatever E was made of
                const double along = (gi + gj) / 2 + (si * si + sj * sj) / 2 * slope;
                d(i, j) = m(i, j) * (along - gi - gj) + m(j, i) * si * sj * slope;
            }
        return d;
    }
    DoubleMatrix exact(const DoubleMatrix& gradient, const DoubleMatrix& m, const DoubleMatrix& ug) const
    {
        // U (inner V^T + diag(g) U^T G) + (G V diag(g)) V^T
        DoubleMatrix right = scaledRows(ug.view(), g.data());
        multiply(Op::None, Op::None, 1.0, inner(m).view(), kept.v, 1.0, right.view());
        DoubleMatrix dx = projection(gradient);
        multiply(Op::Transpose, Op::None, 1.0, kept.u, right.view(), 1.0, dx.view());
        return dx;
    }
    DoubleMatrix projection(const DoubleMatrix& gradient) const
    {
        const DoubleMatrix gv = product(Op::None, Op::Transpose, gradient.view(), kept.v);
        return product(Op::None, Op::None, gv.view(), scaledRows(kept.v, g.data()).view());
    }
};

template <class T> std::vector<double> gatesOf(View<const T> gates, std::int64_t count)
{
    return {gates.data, gates.data + count};
}

template <class T> void addRows(GradientTarget<T> target, std::int64_t first, const DoubleMatrix& values)
{
    for (std::int64_t i = 0; i < values.rows(); ++i)
        for (std::int64_t j = 0; j < values.cols(); ++j)
            target.view(first + i, j) = (target.add ? target.view(first + i, j) : T{0}) + static_cast<T>(values(i, j));
}

/// target (+)= the samples' rows of `partials` [samples, gates], in their order.
template <class T> void addGates(GradientTarget<T> target, const DoubleMatrix& partials)
{
    for (std::int64_t j = 0; j < target.view.cols; ++j) {
        double sum = target.add ? static_cast<double>(target.view(0, j)) : 0.0;
        for (std::int64_t i = 0; i < partials.rows(); ++i)
            sum += partials(i, j);
        target.view(0, j) = static_cast<T>(sum);
    }
}

template <class T> void writeRows(View<T> y, std::int64_t first, const DoubleMatrix& values)
{
    for (std::int64_t i = 0; i < values.rows(); ++i)
        for (std::int64_t j = 0; j < values.cols(); ++j)
            y(first + i, j) = static_cast<T>(values(i, j));
}

template <class T> struct Truncation {
    Variable<T> x, gates;
    std::int64_t rows, samples;
    TruncationGradient mode;
    double gap;
    Kept* kept;

    void forward(View<T> y) const
    {
        forTiles(x.tape().context(), samples, [&](std::int64_t sample) {
            const RowSpace space = rowSpace(toDouble(rowsOf(x.value(), sample * rows, rows)).view());
            fill(kept[sample], space);
            std::vector<double> factors = gatesOf(gates.value(), static_cast<std::int64_t>(space.s.size()));
            for (std::size_t i = 0; i < factors.size(); ++i)
                factors[i] *= space.s[i];
            writeRows(y, sample * rows, product(Op::Transpose, Op::None, space.u.view(), scaledRows(space.v.view(), factors.data()).view()));
        });
    }
    void backward(View<const T> gradient) const
    {
        Tape<T>& tape = x.tape();
        const GradientTarget<T> dx = tape.target(x), dg = tape.target(gates);
        DoubleMatrix partials(samples, gates.cols());
        forTiles(tape.context(), samples, [&](std::int64_t sample) {
            const Kept& own = kept[sample];
            const DoubleMatrix g = toDouble(rowsOf(gradient, sample * rows, rows));
            const DoubleMatrix ug = product(Op::None, Op::None, own.u, g.view()), m = product(Op::None, Op::Transpose, ug.view(), own.v);
            for (std::int64_t i = 0; i < m.rows(); ++i)
                partials(sample, i) = own.s[i] * m(i, i);
            if (!dx)
                return;
            const std::vector<double> factors = gatesOf(gates.value(), m.rows());
            const Backward step{own, factors, gap};
            addRows(dx, sample * rows, mode == TruncationGradient::Exact ? step.exact(g, m, ug) : step.projection(g));
        });
        if (dg)
            addGates(dg, partials);
    }
};

/// G V^T diag(g) V and the gates' own gradients, of one sample with a given basis.
template <class T> void projectBack(View<const T> x, View<const T> gradient, View<const T> basis, const std::vector<T>& gates, double* partial, GradientTarget<T> dx)
{
    tensor::Matrix<T> latents(x.rows, basis.rows), slopes(x.rows, basis.rows);
    multiply(Op::None, Op::Transpose, T{1}, x, basis, T{0}, latents.view());
    multiply(Op::None, Op::Transpose, T{1}, gradient, basis, T{0}, slopes.view());
    for (std::int64_t t = 0; t < x.rows; ++t)
        for (std::int64_t i = 0; i < basis.rows; ++i) {
            partial[i] += static_cast<double>(latents(t, i)) * static_cast<double>(slopes(t, i));
            slopes(t, i) *= gates[static_cast<std::size_t>(i)];
        }
    if (dx)
        multiply(Op::None, Op::None, T{1}, readOnly(slopes.view()), basis, dx.add ? T{1} : T{0}, dx.view);
}

template <class T> void requireGates(Variable<T> gates, std::int64_t least, const char* operation)
{
    if (gates.rows() != 1 || gates.cols() < least)
        refuseShapes(operation, "gates " + shapeOf(gates), "[1, at least " + std::to_string(least) + "]");
}
} // namespace

RowSpace rowSpace(View<const double> x)
{
    const bool wide = x.rows <= x.cols;
    const std::int64_t side = std::min(x.rows, x.cols);
    DoubleMatrix gram = wide ? product(Op::None, Op::Transpose, x, x) : product(Op::Transpose, Op::None, x, x);
    if (!std::ranges::all_of(gram.values(), [](double value) { return std::isfinite(value); }))
        throw Error(ErrorCode::NonFinite, "the activations to decompose hold values that are not finite", "truncation");
    std::vector<double> squares(static_cast<std::size_t>(side));
    if (LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'U', static_cast<int>(side), gram.data(), static_cast<int>(side), squares.data()) != 0)
        throw Error(ErrorCode::NonFinite, "the decomposition of the activations did not converge", "truncation");
    RowSpace space;
    const double largest = side > 0 ? squares.back() : 0; // ascending; column i of the result is row i here
    std::int64_t count = 0;
    while (count < side && squares[static_cast<std::size_t>(side - 1 - count)] > kSmallestSquare * largest)
        ++count;
    DoubleMatrix near(count, side);
    for (std::int64_t i = 0; i < count; ++i) {
        space.s.push_back(std::sqrt(squares[static_cast<std::size_t>(side - 1 - i)]));
        std::copy_n(gram.data() + (side - 1 - i) * side, side, near.data() + i * side);
    }
    std::vector<double> inverse = space.s;
    for (double& value : inverse)
        value = 1 / value;
    DoubleMatrix far = scaledRows(product(Op::None, wide ? Op::None : Op::Transpose, near.view(), x).view(), inverse.data());
    space.u = wide ? std::move(near) : far;
    space.v = wide ? std::move(far) : std::move(near);
    return space;
}

template <class T> Variable<T> truncateRows(Variable<T> x, Variable<T> gates, std::int64_t rowsPerSample, TruncationGradient gradient, double gap)
{
    require(rowsPerSample > 0 && x.rows() > 0 && x.rows() % rowsPerSample == 0 && x.cols() > 0 && gap >= 0, "truncation",
            "the rows must be samples of equal length, and the gap must not be negative");
    const std::int64_t side = std::min(rowsPerSample, x.cols());
    if (side > kLargestSide)
        throw Error(ErrorCode::LimitExceeded, "found " + shapeOf(x) + " in samples of " + std::to_string(rowsPerSample) + " rows, expected a smaller side of at most 2048", "truncation");
    requireGates(gates, side, "truncation");
    Tape<T>& tape = x.tape();
    const std::int64_t samples = x.rows() / rowsPerSample;
    const Variable<T> y = tape.output(x.rows(), x.cols(), {x, gates});
    Truncation<T> operation{x, gates, rowsPerSample, samples, gradient, gap > 0 ? gap : std::is_same_v<T, float> ? 1e-5 : 1e-10, tape.template scratch<Kept>(samples)};
    for (std::int64_t sample = 0; sample < samples; ++sample)
        operation.kept[sample] = keep(tape, rowsPerSample, x.cols());
    operation.forward(tape.mutableValue(y));
    tape.onBackward(y, [operation](View<T> arrived) { operation.backward(readOnly(arrived)); });
    return y;
}

template <class T> Variable<T> projectRows(Variable<T> x, Variable<T> gates, const std::vector<View<const T>>& bases)
{
    const auto samples = static_cast<std::int64_t>(bases.size());
    require(samples > 0 && x.rows() > 0 && x.rows() % samples == 0, "projection", "there must be a basis for each of the samples, of equal length");
    for (const View<const T>& basis : bases) {
        require(basis.cols == x.cols(), "projection", "the basis must be of vectors as long as a row");
        requireGates(gates, basis.rows, "projection");
    }
    Tape<T>& tape = x.tape();
    const std::int64_t rows = x.rows() / samples;
    const Variable<T> y = tape.output(x.rows(), x.cols(), {x, gates});
    auto* kept = tape.template scratch<View<const T>>(samples);
    std::ranges::copy(bases, kept);
    const View<T> out = tape.mutableValue(y);
    forTiles(tape.context(), samples, [&](std::int64_t sample) {
        tensor::Matrix<T> latents(rows, kept[sample].rows);
        multiply(Op::None, Op::Transpose, T{1}, rowsOf(x.value(), sample * rows, rows), kept[sample], T{0}, latents.view());
        for (std::int64_t t = 0; t < rows; ++t)
            for (std::int64_t i = 0; i < latents.cols(); ++i)
                latents(t, i) *= gates.value()(0, i);
        multiply(Op::None, Op::None, T{1}, readOnly(latents.view()), kept[sample], T{0}, rowsOf(out, sample * rows, rows));
    });
    tape.onBackward(y, [x, gates, kept, samples, rows](View<T> gradient) {
        Tape<T>& owner = x.tape();
        const GradientTarget<T> dx = owner.target(x), dg = owner.target(gates);
        DoubleMatrix partials(samples, gates.cols());
        const std::vector<T> factors(gates.value().data, gates.value().data + gates.cols());
        forTiles(owner.context(), samples, [&](std::int64_t sample) {
            const GradientTarget<T> own = dx ? GradientTarget<T>{rowsOf(dx.view, sample * rows, rows), dx.add} : GradientTarget<T>{};
            projectBack<T>(rowsOf(x.value(), sample * rows, rows), rowsOf(readOnly(gradient), sample * rows, rows), kept[sample], factors, &partials(sample, 0), own);
        });
        if (dg)
            addGates(dg, partials);
    });
    return y;
}

#define TAMIS_TRUNCATION_OPS(T)                                                                                               \
    template Variable<T> truncateRows<T>(Variable<T>, Variable<T>, std::int64_t, TruncationGradient, double);                 \
    template Variable<T> projectRows<T>(Variable<T>, Variable<T>, const std::vector<View<const T>>&)
TAMIS_TRUNCATION_OPS(float);
TAMIS_TRUNCATION_OPS(double);
#undef TAMIS_TRUNCATION_OPS

} // namespace tamis::train
