// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/svd_op.h"

#include "core/base/error.h"
#include "core/train/products.h"
#include "core/train/singular_gap.h"

#include <lapacke.h>

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

namespace tamis::train {

double inverseDifference(double a, double b, double gap)
{
    constexpr int kSeriesTerms = 11;
    const double larger = std::max(a, b), smaller = std::min(a, b);
    if (larger <= 0 || a == b)
        return 0;
    const double difference = (b - a) * (b + a);
    if (std::abs(difference) > gap * larger * larger)
        return 1 / difference;
    const double square = (smaller / larger) * (smaller / larger);
    double series = 0;
    for (int k = 0; k < kSeriesTerms; ++k)
        series = 1 + square * series;
    return (b > a ? series : -series) / (larger * larger);
}

namespace {
using DoubleMatrix = tensor::Matrix<double>;
constexpr std::int64_t kLargestSide = 512, kLongestSide = 65536;

template <class T> DoubleMatrix toDouble(View<T> view)
{
    DoubleMatrix result(view.rows, view.cols);
    for (std::int64_t i = 0; i < view.rows; ++i)
        std::copy_n(view.data + i * view.stride, view.cols, result.data() + i * view.cols);
    return result;
}

DoubleMatrix product(Op opA, Op opB, const DoubleMatrix& a, const DoubleMatrix& b)
{
    DoubleMatrix c(opA == Op::None ? a.rows() : a.cols(), opB == Op::None ? b.cols() : b.rows());
    multiply(opA, opB, 1.0, a.view(), b.view(), 0.0, c.view());
    return c;
}

struct Factors {
    DoubleMatrix u, v; ///< [m, p], [n, p]
    std::vector<double> s;
};

Factors decompose(DoubleMatrix a)
{
    const std::int64_t m = a.rows(), n = a.cols(), p = std::min(m, n);
    Factors f{DoubleMatrix(m, p), DoubleMatrix(n, p), std::vector<double>(static_cast<std::size_t>(p))};
    DoubleMatrix vt(p, n);
    // row-major [m, n] is column-major [n, m], of which the left vectors are ours on the right
    const auto status = LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'S', static_cast<int>(n), static_cast<int>(m), a.data(), static_cast<int>(n), f.s.data(),
                                       vt.data(), static_cast<int>(n), f.u.data(), static_cast<int>(p));
    if (status != 0)
        throw Error(ErrorCode::NonFinite, "the singular value decomposition did not converge", "svd");
    for (std::int64_t j = 0; j < p; ++j) {
        std::int64_t largest = 0;
        for (std::int64_t i = 1; i < m; ++i)
            if (std::abs(f.u(i, j)) > std::abs(f.u(largest, j)))
                largest = i;
        const double sign = f.u(largest, j) < 0 ? -1 : 1;
        for (std::int64_t i = 0; i < m; ++i)
            f.u(i, j) *= sign;
        for (std::int64_t i = 0; i < n; ++i)
            f.v(i, j) = sign * vt(j, i);
    }
    return f;
}

/// middle += (E o (W^T G - G^T W)) with S multiplied from the right (side u) or left (side v).
void addRotations(const Factors& f, const DoubleMatrix& vectors, const DoubleMatrix& gradient, bool left, double gap, DoubleMatrix& middle)
{
    const DoubleMatrix inner = product(Op::Transpose, Op::None, vectors, gradient); // [p, p]
    for (std::int64_t i = 0; i < inner.rows(); ++i)
        for (std::int64_t j = 0; j < inner.cols(); ++j) {
            const double si = f.s[static_cast<std::size_t>(i)], sj = f.s[static_cast<std::size_t>(j)];
            middle(i, j) += inverseDifference(si, sj, gap) * (inner(i, j) - inner(j, i)) * (left ? sj : si);
        }
}

/// (I - W W^T) G diag(1 / s)
DoubleMatrix outsidePart(const Factors& f, const DoubleMatrix& vectors, const DoubleMatrix& gradient, double gap)
{
    const DoubleMatrix inner = product(Op::Transpose, Op::None, vectors, gradient);
    DoubleMatrix result = gradient;
    multiply(Op::None, Op::None, -1.0, vectors.view(), inner.view(), 1.0, result.view());
    const double floor = std::max(gap * (f.s.empty() ? 0 : f.s[0]), 1e-300);
    for (std::int64_t i = 0; i < result.rows(); ++i)
        for (std::int64_t j = 0; j < result.cols(); ++j)
            result(i, j) /= std::max(f.s[static_cast<std::size_t>(j)], floor);
    return result;
}

/// dx = U [ (E o (U^T gU - gU^T U)) S + S (E o (V^T gV - gV^T V)) + diag(gS) ] V^T + (I - U U^T) gU S^-1 V^T + U S^-1 gV^T (I - V V^T),
/// E_ij = 1 / (s_j^2 - s_i^2). Empty gradients count as zero.
DoubleMatrix gradientOf(const Factors& f, const DoubleMatrix& gu, const DoubleMatrix& gs, const DoubleMatrix& gv, double gap)
{
    const auto p = static_cast<std::int64_t>(f.s.size());
    DoubleMatrix middle(p, p);
    for (std::int64_t i = 0; i < p && !gs.empty(); ++i)
        middle(i, i) = gs(0, i);
    if (!gu.empty())
        addRotations(f, f.u, gu, true, gap, middle);
    if (!gv.empty())
        addRotations(f, f.v, gv, false, gap, middle);
    DoubleMatrix left = product(Op::None, Op::None, f.u, middle); // [m, p], times V^T in the end
    if (!gu.empty() && f.u.rows() > p) {
        const DoubleMatrix outside = outsidePart(f, f.u, gu, gap);
        for (std::size_t i = 0; i < left.size(); ++i)
            left.values()[i] += outside.values()[i];
    }
    DoubleMatrix result = product(Op::None, Op::Transpose, left, f.v);
    if (!gv.empty() && f.v.rows() > p) {
        const DoubleMatrix outside = outsidePart(f, f.v, gv, gap);
        multiply(Op::None, Op::Transpose, 1.0, f.u.view(), outside.view(), 1.0, result.view());
    }
    return result;
}

template <class T> Variable<T> outputOf(Tape<T>& tape, Variable<T> x, const double* values, std::int64_t rows, std::int64_t cols)
{
    const Variable<T> y = tape.output(rows, cols, {x});
    std::transform(values, values + rows * cols, tape.mutableValue(y).data, [](double value) { return static_cast<T>(value); });
    return y;
}

/// The factors as the tape keeps them: in double, whatever T is.
struct KeptFactors {
    View<double> u, v;
    double* s = nullptr;
    Factors copy() const
    {
        return {toDouble(u), toDouble(v), std::vector<double>(s, s + u.cols)};
    }
};
template <class T> KeptFactors keep(Tape<T>& tape, const Factors& f)
{
    const auto stored = [&](const double* from, std::int64_t count) {
        auto* memory = tape.template scratch<double>(count);
        std::copy_n(from, count, memory);
        return memory;
    };
    const std::int64_t p = f.u.cols();
    return {{stored(f.u.data(), f.u.rows() * p), f.u.rows(), p, p}, {stored(f.v.data(), f.v.rows() * p), f.v.rows(), p, p}, stored(f.s.data(), p)};
}
} // namespace

template <class T> Svd<T> svd(Variable<T> x, double gap)
{
    const View<const T> in = x.value();
    const std::int64_t p = std::min(in.rows, in.cols);
    if (p > kLargestSide || std::max(in.rows, in.cols) > kLongestSide)
        throw Error(ErrorCode::LimitExceeded, "found " + shapeOf(x) + ", expected a smaller side of at most 512 and a longer one of at most 65536", "svd");
    require(p > 0 && gap >= 0, "svd", "the matrix must have an element, and the gap must not be negative");
    const DoubleMatrix values = toDouble(in);
    if (!std::ranges::all_of(values.values(), [](double value) { return std::isfinite(value); }))
        throw Error(ErrorCode::NonFinite, "the matrix holds values that are not finite", "svd");
    Tape<T>& tape = x.tape();
    tape.context().throwIfStopped();
    const Factors f = decompose(values);
    const Variable<T> u = outputOf(tape, x, f.u.data(), in.rows, p);
    const Variable<T> s = outputOf(tape, x, f.s.data(), 1, p), v = outputOf(tape, x, f.v.data(), in.cols, p);
    const double threshold = gap > 0 ? gap : std::is_same_v<T, float> ? 1e-5 : 1e-10;
    const KeptFactors kept = keep(tape, f);
    tape.onBackward(u, [x, s, v, kept, threshold](View<T> gradient) { // u is the first of the three: its step comes last
        Tape<T>& owner = x.tape();
        const GradientTarget<T> target = owner.target(x);
        const auto part = [](View<const T> view) { return view.data ? toDouble(view) : DoubleMatrix(); };
        const DoubleMatrix dx = gradientOf(kept.copy(), part(gradient), part(owner.gradient(s)), part(owner.gradient(v)), threshold);
        for (std::int64_t i = 0; i < dx.rows(); ++i)
            for (std::int64_t j = 0; j < dx.cols(); ++j)
                target.view(i, j) = (target.add ? target.view(i, j) : T{0}) + static_cast<T>(dx(i, j));
    });
    tape.runAlways(u);
    return {u, s, v};
}

template Svd<float> svd<float>(Variable<float>, double);
template Svd<double> svd<double>(Variable<double>, double);

} // namespace tamis::train
