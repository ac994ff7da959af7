// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/online_regression.h"

#include "core/linalg/triangular_solve.h"
#include "core/linalg/whitening.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::cache {
namespace {
constexpr int kMostNewtonSteps = 25;
constexpr double kMostLogOdds = 30, kInterceptRidge = 1e-9;

/// Rows with a leading 1, brought to mean 0 and deviation 1.
struct Standardised {
    std::size_t rows = 0, columns = 0; ///< columns with the leading one
    std::vector<double> values, mean, scale;
    Standardised(std::span<const float> given, std::size_t features) : rows(given.size() / features), columns(features + 1), values(rows * columns, 1.0), mean(features, 0.0), scale(features, 1.0)
    {
        for (std::size_t f = 0; f < features; ++f) {
            double sum = 0, squares = 0;
            for (std::size_t i = 0; i < rows; ++i)
                sum += static_cast<double>(given[i * features + f]);
            mean[f] = sum / static_cast<double>(rows);
            for (std::size_t i = 0; i < rows; ++i) {
                const double off = static_cast<double>(given[i * features + f]) - mean[f];
                squares += off * off;
            }
            const double deviation = std::sqrt(squares / static_cast<double>(rows));
            scale[f] = deviation > 1e-9 ? 1 / deviation : 0; // a constant says nothing
            for (std::size_t i = 0; i < rows; ++i)
                values[i * columns + f + 1] = (static_cast<double>(given[i * features + f]) - mean[f]) * scale[f];
        }
    }
    const double* row(std::size_t i) const noexcept { return values.data() + i * columns; }
};

/// Gradient and curvature of the penalised likelihood at w; the intercept is hardly penalised.
void moments(const Standardised& x, std::span<const std::uint8_t> labels, const std::vector<double>& w, double ridge, tensor::Matrix<double>& gradient, tensor::Matrix<double>& curvature)
{
    const auto n = static_cast<std::int64_t>(x.columns);
    gradient = tensor::Matrix<double>(n, 1);
    curvature = tensor::Matrix<double>(n, n);
    for (std::size_t i = 0; i < x.rows; ++i) {
        const double* row = x.row(i);
        const double odds = std::clamp(std::inner_product(row, row + x.columns, w.begin(), 0.0), -kMostLogOdds, kMostLogOdds);
        const double p = 1 / (1 + std::exp(-odds)), left = (labels[i] != 0 ? 1.0 : 0.0) - p, spread = std::max(p * (1 - p), 1e-9);
        for (std::int64_t a = 0; a < n; ++a) {
            gradient(a, 0) += left * row[a];
            for (std::int64_t b = 0; b <= a; ++b)
                curvature(a, b) += spread * row[a] * row[b];
        }
    }
    for (std::int64_t a = 0; a < n; ++a) {
        const double penalty = static_cast<double>(x.rows) * (a == 0 ? kInterceptRidge : ridge);
        gradient(a, 0) -= penalty * w[static_cast<std::size_t>(a)];
        curvature(a, a) += penalty;
        for (std::int64_t b = 0; b < a; ++b)
            curvature(b, a) = curvature(a, b);
    }
}

/// What Newton's steps must not raise: the negative logarithm of the penalised likelihood.
double loss(const Standardised& x, std::span<const std::uint8_t> labels, const std::vector<double>& w, double ridge)
{
    double sum = 0;
    for (std::size_t i = 0; i < x.rows; ++i) {
        const double odds = std::inner_product(w.begin(), w.end(), x.row(i), 0.0);
        sum += std::log1p(std::exp(-std::abs(odds))) + std::max(odds, 0.0) - (labels[i] != 0 ? odds : 0.0);
    }
    for (std::size_t a = 0; a < w.size(); ++a)
        sum += static_cast<double>(x.rows) * (a == 0 ? kInterceptRidge : ridge) * w[a] * w[a] / 2;
    return sum;
}
} // namespace

RecursiveLeastSquares::RecursiveLeastSquares(std::size_t features, double forgetting, double prior)
    : m_features(features), m_forgetting(forgetting), m_mostTrace(prior * static_cast<double>(features)), m_weights(features, 0.0), m_p(features * features, 0.0), m_gain(features, 0.0)
{
    for (std::size_t i = 0; i < features; ++i)
        m_p[i * features + i] = prior;
}

double RecursiveLeastSquares::predict(std::span<const double> x) const noexcept
{
    double sum = 0;
    for (std::size_t i = 0; i < m_features; ++i)
        sum += m_weights[i] * x[i];
    return sum;
}

void RecursiveLeastSquares::learn(std::span<const double> x, double y)
{
    double expected = m_forgetting, trace = 0;
    for (std::size_t i = 0; i < m_features; ++i) {
        m_gain[i] = 0;
        for (std::size_t j = 0; j < m_features; ++j)
            m_gain[i] += m_p[i * m_features + j] * x[j];
        expected += x[i] * m_gain[i];
        trace += m_p[i * m_features + i];
    }
    const double off = y - predict(x);
    const double forget = trace > m_mostTrace ? 1.0 : m_forgetting; // directions that are not seen must not grow without end
    for (std::size_t i = 0; i < m_features; ++i) {
        m_weights[i] += m_gain[i] / expected * off;
        for (std::size_t j = 0; j <= i; ++j) {
            const double value = (m_p[i * m_features + j] - m_gain[i] * m_gain[j] / expected) / forget;
            m_p[i * m_features + j] = m_p[j * m_features + i] = value;
        }
    }
    ++m_learned;
}

void LogisticRegression::fit(std::span<const float> rows, std::span<const std::uint8_t> labels, std::size_t features, double ridge)
{
    const Standardised x(rows, features);
    const auto ones = static_cast<double>(std::ranges::count_if(labels, [](std::uint8_t label) { return label != 0; }));
    std::vector<double> w(x.columns, 0.0);
    w[0] = std::log((ones + 0.5) / (static_cast<double>(x.rows) - ones + 0.5));
    const bool bothKinds = ones > 0 && ones < static_cast<double>(x.rows);
    for (int step = 0; bothKinds && step < kMostNewtonSteps; ++step) {
        tensor::Matrix<double> gradient, curvature;
        moments(x, labels, w, ridge, gradient, curvature);
        const auto root = linalg::choleskyRoot(std::move(curvature));
        if (!root)
            break; // no direction that could be trusted: what was found so far stands
        linalg::solveLeft(linalg::Op::None, root->view(), gradient.view());
        linalg::solveLeft(linalg::Op::Transpose, root->view(), gradient.view());
        double largest = 0;
        for (std::size_t i = 0; i < w.size(); ++i)
            largest = std::max(largest, std::abs(gradient.values()[i]));
        const std::vector<double> start = w;
        const double before = loss(x, labels, w, ridge);
        for (double length = 1; length * largest > 1e-12; length /= 2) { // far from the optimum the whole step would leap over it
            for (std::size_t i = 0; i < w.size(); ++i)
                w[i] = start[i] + length * gradient.values()[i];
            if (loss(x, labels, w, ridge) <= before * (1 + 1e-12))
                break;
        }
        if (largest < 1e-8)
            break;
    }
    m_weights.assign(features, 0.0);
    m_intercept = w[0];
    for (std::size_t f = 0; f < features; ++f) {
        m_weights[f] = w[f + 1] * x.scale[f];
        m_intercept -= m_weights[f] * x.mean[f];
    }
}

double LogisticRegression::score(std::span<const float> x) const noexcept
{
    double sum = m_intercept;
    for (std::size_t f = 0; f < m_weights.size(); ++f)
        sum += m_weights[f] * static_cast<double>(x[f]);
    return sum;
}

} // namespace tamis::cache
