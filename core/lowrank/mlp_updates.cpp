// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/mlp_updates.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/triangular_solve.h"
#include "core/linalg/whitening.h"
#include "core/lowrank/compression_run.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

namespace tamis::lowrank {
namespace {
using kernels::Activation;
using linalg::Op;
using tensor::Matrix;

/// z sigmoid(a z)
ActivationPoint swish(double z, double a) noexcept
{
    const double s = 1 / (1 + std::exp(-a * z)), slope = a * s * (1 - s);
    return {z * s, s + z * slope, slope * (2 + a * z * (1 - 2 * s))};
}

ActivationPoint geluTanh(double z) noexcept
{
    const double c = std::sqrt(2 / std::numbers::pi), t = std::tanh(c * (z + 0.044715 * z * z * z));
    const double u1 = c * (1 + 3 * 0.044715 * z * z), u2 = c * 6 * 0.044715 * z, open = 1 - t * t;
    return {0.5 * z * (1 + t), 0.5 * (1 + t) + 0.5 * z * open * u1, open * u1 + 0.5 * z * open * (u2 - 2 * t * u1 * u1)};
}

constexpr std::size_t kTried = 4; // starts that are followed down

/// A smooth function of one number with two derivatives.
struct Point {
    double value = 0, slope = 0, curvature = 0;
};

/// Newton's method with the curvature of `convex` (its part that is never negative) where the whole is not convex; steps are
/// halved until they descend. Stops at slopes below `small`, or when no step of a representable size descends.
template <class Function> double descend(const Function& at, double z, double small) noexcept
{
    double floor = 0;
    Point now = at(z, floor);
    for (int turn = 0; turn < 60 && std::abs(now.slope) > small; ++turn) {
        const double curvature = now.curvature > 0.1 * floor ? now.curvature : floor;
        double step = -now.slope / curvature;
        bool moved = false;
        for (int half = 0; half < 50 && z + step != z; ++half, step *= 0.5) {
            const Point next = at(z + step, floor);
            if (next.value > now.value)
                continue;
            moved = next.value < now.value || std::abs(next.slope) < std::abs(now.slope);
            z = moved ? z + step : z;
            now = moved ? next : now;
            break;
        }
        if (!moved)
            break;
    }
    return z;
}

/// argmin over z of alpha (z - m)^2 + gamma (p - scale sigma(z))^2 from the best kTried of `starts`.
template <std::size_t count>
double minimise(Activation activation, double m, double p, double scale, double alpha, double gamma, std::array<double, count> starts) noexcept
{
    const auto at = [&](double z, double& floor) {
        const ActivationPoint g = activationAt(activation, z);
        const double error = p - scale * g.value;
        floor = 2 * alpha + 2 * gamma * scale * scale * g.slope * g.slope;
        return Point{alpha * (z - m) * (z - m) + gamma * error * error, 2 * alpha * (z - m) - 2 * gamma * scale * error * g.slope,
                     floor - 2 * gamma * scale * error * g.curvature};
    };
    double floor = 0;
    const auto value = [&](double z) { return at(z, floor).value; };
    std::array<std::pair<double, double>, count> order; // value, start
    for (std::size_t i = 0; i < count; ++i)
        order[i] = {value(starts[i]), starts[i]};
    std::ranges::partial_sort(order, order.begin() + kTried);
    const double small = 1e-9 * (alpha * (1 + std::abs(m)) + gamma * std::abs(scale) * (std::abs(p) + std::abs(scale)));
    double best = order.front().second, least = order.front().first;
    for (std::size_t i = 0; i < kTried; ++i)
        if (const double z = descend(at, order[i].second, small), now = value(z); now <= least) {
            best = z;
            least = now;
        }
    return best;
}

/// Where minima of the scalar problem may be sought: the line's own optimum, and both sides of the dip that gelu and silu have.
std::array<double, 10> startsFor(double m, double p, double scale, double alpha, double gamma) noexcept
{
    const double linear = (alpha * m + gamma * scale * p) / (alpha + gamma * scale * scale); // as if sigma(z) = z
    const double exact = scale != 0 ? p / scale : 0; // where gamma's term alone has its zero
    return {m, std::max(linear, 0.0), std::min(m, 0.0), 0.5 * linear, exact, 1.3 * exact, -0.3, -1.0, -2.0, -4.0};
}
} // namespace

ActivationPoint activationAt(Activation activation, double z) noexcept
{
    switch (activation) {
    case Activation::Gelu: {
        const double cdf = 0.5 * std::erfc(-z * std::numbers::sqrt2 / 2), density = std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi);
        return {z * cdf, cdf + z * density, density * (2 - z * z)};
    }
    case Activation::GeluTanh: return geluTanh(z);
    case Activation::QuickGelu: return swish(z, 1.702);
    case Activation::Silu: return swish(z, 1);
    case Activation::Relu: return {std::max(z, 0.0), z > 0 ? 1.0 : 0.0, 0};
    case Activation::Tanh: {
        const double t = std::tanh(z);
        return {t, 1 - t * t, -2 * t * (1 - t * t)};
    }
    case Activation::None: break;
    }
    return {z, 1, 0};
}

double reluUpdate(double m, double p, double alpha, double gamma) noexcept
{
    const auto energy = [&](double z) {
        const double error = p - std::max(z, 0.0);
        return alpha * (z - m) * (z - m) + gamma * error * error;
    };
    const double above = std::max((gamma * p + alpha * m) / (gamma + alpha), 0.0), below = std::min(m, 0.0);
    return energy(above) < energy(below) ? above : below;
}

double smoothUpdate(Activation activation, double m, double p, double alpha, double gamma) noexcept
{
    return minimise(activation, m, p, 1, alpha, gamma, startsFor(m, p, 1, alpha, gamma));
}

double gatedUpdate(double m, double p, double a, double alpha, double gamma) noexcept { return (alpha * m + gamma * a * p) / (alpha + gamma * a * a); }

double gateUpdate(Activation activation, double s, double g, double z, double p, double alpha, double gamma, int steps, double rate) noexcept
{
    if (steps == 0) {
        auto starts = startsFor(g, p, z, alpha, gamma);
        starts[3] = s;
        return minimise(activation, g, p, z, alpha, gamma, starts);
    }
    const auto energy = [&](double at) {
        const double error = p - activationAt(activation, at).value * z;
        return alpha * (at - g) * (at - g) + gamma * error * error;
    };
    double now = energy(s);
    for (int step = 0; step < steps; ++step) {
        const ActivationPoint gate = activationAt(activation, s);
        double way = -rate * (2 * alpha * (s - g) - 2 * gamma * (p - gate.value * z) * gate.slope * z);
        for (int half = 0; half < 40 && !(energy(s + way) <= now); ++half)
            way *= 0.5;
        if (const double next = energy(s + way); next <= now) {
            s += way;
            now = next;
        }
    }
    return s;
}

Matrix<double> hiddenUpdate(const Matrix<double>& f, const Matrix<double>& y, const Matrix<double>& w2, double beta, double gamma, const RunContext& context)
{
    Matrix<double> system = linalg::gram(w2.view(), linalg::Side::Columns, context);
    for (double& value : system.values())
        value *= beta;
    const auto root = linalg::choleskyRoot(linalg::withRidge(std::move(system), gamma), context);
    if (!root)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(gamma) + ", too small beside beta |W2|^2 to solve for the hidden values, expected more", "gamma");
    Matrix<double> p = f;
    for (double& value : p.values())
        value *= gamma;
    linalg::gemm(Op::None, Op::None, beta, y.view(), w2.view(), 1.0, p.view(), context);
    linalg::solveRight(Op::Transpose, root->view(), p.view(), context);
    linalg::solveRight(Op::None, root->view(), p.view(), context);
    return p;
}

FittedPair fitPair(const Matrix<double>& x, const Matrix<double>& target, const Matrix<double>& prior, double ridge, std::int64_t rank, const RunContext& context)
{
    const Matrix<double> c = linalg::withRidge(linalg::gram(x.view(), linalg::Side::Columns, context), ridge);
    const auto root = linalg::choleskyRoot(c, context);
    if (!root)
        throw Error(ErrorCode::InvalidParameter, "leaves the inputs' second moments singular, expected a larger one", "percdamp");
    Matrix<double> solution(x.cols(), target.cols()); // W^T
    for (std::int64_t i = 0; i < prior.rows(); ++i)
        for (std::int64_t j = 0; j < prior.cols(); ++j)
            solution(j, i) = ridge * prior(i, j);
    linalg::gemm(Op::Transpose, Op::None, 1.0, x.view(), target.view(), 1.0, solution.view(), context);
    linalg::solveLeft(Op::None, root->view(), solution.view(), context);
    linalg::solveLeft(Op::Transpose, root->view(), solution.view(), context);
    Matrix<double> w(target.cols(), x.cols());
    for (std::int64_t i = 0; i < w.rows(); ++i)
        for (std::int64_t j = 0; j < w.cols(); ++j)
            w(i, j) = solution(j, i);
    LocalFactors factors = whitenedFactors(w, c, rank, nullptr, context);
    return {std::move(factors.b), std::move(factors.a)};
}

} // namespace tamis::lowrank
