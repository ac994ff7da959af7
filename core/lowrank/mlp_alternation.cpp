// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/mlp_alternation.h"

#include "core/base/parallel.h"
#include "core/linalg/gemm.h"

#include <algorithm>
#include <limits>

namespace tamis::lowrank {
namespace {
using kernels::Activation;
using linalg::Op;
using tensor::Matrix;
constexpr std::int64_t kRows = 16; // of a task

template <class Each> void eachRow(const RunContext& context, std::int64_t rows, const Each& each)
{
    parallelFor(context, static_cast<std::size_t>((rows + kRows - 1) / kRows), [&](std::size_t tile) {
        const auto begin = static_cast<std::int64_t>(tile) * kRows;
        for (std::int64_t t = begin; t < std::min(rows, begin + kRows); ++t)
            each(t);
    });
}

void addRowVector(Matrix<double>& y, const std::vector<double>& row)
{
    if (row.empty())
        return;
    for (std::int64_t t = 0; t < y.rows(); ++t)
        for (std::int64_t j = 0; j < y.cols(); ++j)
            y(t, j) += row[static_cast<std::size_t>(j)];
}

/// x (B A)^T + bias.
Matrix<double> through(const FittedPair& pair, const Matrix<double>& x, const std::vector<double>& bias, const RunContext& context)
{
    const Matrix<double> latent = linalg::product(Op::None, Op::Transpose, x.view(), pair.a.view(), context);
    Matrix<double> y = linalg::product(Op::None, Op::Transpose, latent.view(), pair.b.view(), context);
    addRowVector(y, bias);
    return y;
}

Matrix<double> through(const Matrix<double>& w, const Matrix<double>& x, const std::vector<double>& bias, const RunContext& context)
{
    Matrix<double> y = linalg::product(Op::None, Op::Transpose, x.view(), w.view(), context);
    addRowVector(y, bias);
    return y;
}

/// sigma(z), or sigma(s) o z.
Matrix<double> hiddenFrom(Activation activation, const Matrix<double>& z, const Matrix<double>& s, const RunContext& context)
{
    Matrix<double> f(z.rows(), z.cols());
    eachRow(context, z.rows(), [&](std::int64_t t) {
        for (std::int64_t j = 0; j < z.cols(); ++j)
            f(t, j) = s.empty() ? activationAt(activation, z(t, j)).value : activationAt(activation, s(t, j)).value * z(t, j);
    });
    return f;
}

double squaredDistance(const Matrix<double>& a, const Matrix<double>& b)
{
    double sum = 0;
    for (std::int64_t i = 0; i < a.rows(); ++i) {
        double row = 0;
        for (std::int64_t j = 0; j < a.cols(); ++j)
            row += (a(i, j) - b(i, j)) * (a(i, j) - b(i, j));
        sum += row;
    }
    return sum;
}

double meanSquares(const Matrix<double>& x) { return linalg::squaredNorm(x.view()) / static_cast<double>(x.cols()); } // mean diagonal of X^T X

Matrix<double> minus(Matrix<double> a, const std::vector<double>& row)
{
    std::vector<double> negative(row);
    for (double& value : negative)
        value = -value;
    addRowVector(a, negative);
    return a;
}

class Alternation {
public:
    Alternation(const MlpWeights& weights, const MlpFactors& start, const Matrix<double>& x, const MlpSettings& settings, const RunContext& context)
        : m_weights(weights), m_factors(start), m_x(x), m_settings(settings), m_context(context), m_z(through(weights.up, x, weights.upBias, context)),
          m_s(weights.gated() ? through(weights.gate, x, weights.gateBias, context) : Matrix<double>()), m_p(hiddenFrom(weights.activation, m_z, m_s, context)),
          m_y(through(weights.down, m_p, {}, context)), m_inputRidge(settings.damping * meanSquares(x)), m_hiddenRidge(settings.damping * meanSquares(m_p))
    {
        objective.push_back(value());
    }

    void iterate()
    {
        const MlpPenalties& k = m_settings.penalties;
        m_factors.up = fitPair(m_x, minus(m_z, m_weights.upBias), m_weights.up, m_inputRidge, m_factors.up.b.cols(), m_context);
        if (m_weights.gated())
            m_factors.gate = fitPair(m_x, minus(m_s, m_weights.gateBias), m_weights.gate, m_inputRidge, m_factors.gate.b.cols(), m_context);
        m_factors.down = fitPair(m_p, m_y, m_weights.down, m_hiddenRidge, m_factors.down.b.cols(), m_context);
        objective.push_back(value());
        const Matrix<double> w2 = linalg::product(m_factors.down.b.view(), m_factors.down.a.view(), m_context);
        m_p = hiddenUpdate(hiddenFrom(m_weights.activation, m_z, m_s, m_context), m_y, w2, k.beta, k.gamma, m_context);
        objective.push_back(value());
        updateValues();
    }

    const MlpFactors& factors() const { return m_factors; }
    /// The down projection fitted to the hidden values that the first layer's factors give.
    MlpFactors refitted() const
    {
        MlpFactors factors = m_factors;
        factors.down = fitPair(hiddenOf(m_weights, &factors, m_x, m_context), m_y, m_weights.down, m_hiddenRidge, factors.down.b.cols(), m_context);
        return factors;
    }
    std::vector<double> objective;

private:
    void updateValues()
    {
        const MlpPenalties& k = m_settings.penalties;
        const Matrix<double> m = through(m_factors.up, m_x, m_weights.upBias, m_context);
        const Activation activation = m_weights.activation;
        eachRow(m_context, m.rows(), [&](std::int64_t t) {
            for (std::int64_t j = 0; j < m.cols(); ++j) {
                const double to = m_p(t, j);
                m_z(t, j) = m_weights.gated()            ? gatedUpdate(m(t, j), to, activationAt(activation, m_s(t, j)).value, k.alpha, k.gamma)
                            : activation == Activation::Relu ? reluUpdate(m(t, j), to, k.alpha, k.gamma)
                                                             : smoothUpdate(activation, m(t, j), to, k.alpha, k.gamma);
            }
        });
        objective.push_back(value());
        if (!m_weights.gated())
            return;
        const Matrix<double> g = through(m_factors.gate, m_x, m_weights.gateBias, m_context);
        eachRow(m_context, g.rows(), [&](std::int64_t t) {
            for (std::int64_t j = 0; j < g.cols(); ++j)
                m_s(t, j) = gateUpdate(activation, m_s(t, j), g(t, j), m_z(t, j), m_p(t, j), k.alpha, k.gamma, m_settings.gateSteps, m_settings.gateRate);
        });
        objective.push_back(value());
    }

    /// F of mlp_updates.h and what holds the factors to the dense weights.
    double value() const
    {
        const MlpPenalties& k = m_settings.penalties;
        const auto held = [&](const FittedPair& pair, const Matrix<double>& w) { return squaredDistance(linalg::product(pair.b.view(), pair.a.view(), m_context), w); };
        double sum = k.alpha * (squaredDistance(m_z, through(m_factors.up, m_x, m_weights.upBias, m_context)) + m_inputRidge * held(m_factors.up, m_weights.up));
        if (m_weights.gated())
            sum += k.alpha * (squaredDistance(m_s, through(m_factors.gate, m_x, m_weights.gateBias, m_context)) + m_inputRidge * held(m_factors.gate, m_weights.gate));
        sum += k.gamma * squaredDistance(m_p, hiddenFrom(m_weights.activation, m_z, m_s, m_context));
        return sum + k.beta * (squaredDistance(through(m_factors.down, m_p, {}, m_context), m_y) + m_hiddenRidge * held(m_factors.down, m_weights.down));
    }

    const MlpWeights& m_weights;
    MlpFactors m_factors;
    const Matrix<double>& m_x;
    const MlpSettings& m_settings;
    const RunContext& m_context;
    Matrix<double> m_z, m_s, m_p, m_y;
    double m_inputRidge, m_hiddenRidge;
};
} // namespace

Matrix<double> hiddenOf(const MlpWeights& weights, const MlpFactors* factors, const Matrix<double>& x, const RunContext& context)
{
    const Matrix<double> z = factors ? through(factors->up, x, weights.upBias, context) : through(weights.up, x, weights.upBias, context);
    Matrix<double> s;
    if (weights.gated())
        s = factors ? through(factors->gate, x, weights.gateBias, context) : through(weights.gate, x, weights.gateBias, context);
    return hiddenFrom(weights.activation, z, s, context);
}

double outputError(const MlpWeights& weights, const MlpFactors& factors, const Matrix<double>& x, const RunContext& context)
{
    const Matrix<double> exact = through(weights.down, hiddenOf(weights, nullptr, x, context), {}, context);
    return squaredDistance(through(factors.down, hiddenOf(weights, &factors, x, context), {}, context), exact) / linalg::squaredNorm(exact.view());
}

MlpSolution alternateMlp(const MlpWeights& weights, const MlpFactors& start, const Matrix<double>& fit, const Matrix<double>& check, const MlpSettings& settings,
                         const RunContext& context)
{
    const Matrix<double>& judge = check.empty() ? fit : check;
    MlpSolution solution{.factors = start};
    solution.fitError = {outputError(weights, start, fit, context)};
    solution.checkError = {outputError(weights, start, judge, context)};
    double best = solution.checkError.front();
    Alternation alternation(weights, start, fit, settings, context);
    for (int iteration = 1; iteration <= settings.iterations; ++iteration) {
        std::vector<MlpFactors> candidates;
        if (settings.refit && iteration == 1)
            candidates.push_back(alternation.refitted()); // the start's first layer
        alternation.iterate();
        candidates.push_back(alternation.factors());
        if (settings.refit)
            candidates.push_back(alternation.refitted());
        double lowest = std::numeric_limits<double>::infinity(), fitted = lowest;
        for (MlpFactors& candidate : candidates) {
            const double error = outputError(weights, candidate, judge, context);
            if (error < lowest) {
                lowest = error;
                fitted = outputError(weights, candidate, fit, context);
            }
            if (error < best) {
                best = error;
                solution.factors = std::move(candidate);
                solution.bestIteration = iteration;
            }
        }
        solution.checkError.push_back(lowest);
        solution.fitError.push_back(fitted);
        context.setFraction(static_cast<double>(iteration) / settings.iterations);
    }
    solution.objective = std::move(alternation.objective);
    return solution;
}

} // namespace tamis::lowrank
