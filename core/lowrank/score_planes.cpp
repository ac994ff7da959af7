// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/score_planes.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/symmetric_eigen.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

namespace tamis::lowrank {
namespace {
using linalg::Op;
using linalg::Side;
using tensor::Matrix;

void requireShape(const Matrix<double>& m, std::int64_t rows, std::int64_t cols, const char* what)
{
    if (m.rows() != rows || m.cols() != cols)
        throw Error(ErrorCode::InvalidParameter, std::string(what) + " are [" + std::to_string(m.rows()) + ", " + std::to_string(m.cols()) + "], expected [" +
                                                     std::to_string(rows) + ", " + std::to_string(cols) + "]");
}

void check(const ScoreProblem& problem)
{
    const std::int64_t d = problem.query.cols();
    if (problem.heads < 1 || problem.keyValueHeads < 1 || problem.heads % problem.keyValueHeads != 0 || problem.headDim < 1)
        throw Error(ErrorCode::InvalidParameter, std::to_string(problem.heads) + " query heads cannot share " + std::to_string(problem.keyValueHeads) + " key heads");
    requireShape(problem.query, problem.heads * problem.headDim, d, "query weights");
    const std::int64_t keyWidth = problem.keyInputs.empty() ? d : problem.key.cols();
    requireShape(problem.key, problem.keyValueHeads * problem.headDim, keyWidth, "key weights");
    requireShape(problem.queryInputs, d, d, "statistics of the queries' inputs");
    if (!problem.keyInputs.empty())
        requireShape(problem.keyInputs, keyWidth, keyWidth, "statistics of the keys' inputs");
    if (!problem.headWeights.empty() && static_cast<std::int64_t>(problem.headWeights.size()) != problem.heads)
        throw Error(ErrorCode::InvalidParameter, std::to_string(problem.headWeights.size()) + " weights were given for " + std::to_string(problem.heads) + " heads");
}

Matrix<double> firstRows(const Matrix<double>& m, std::int64_t count)
{
    Matrix<double> top(count, m.cols());
    std::copy_n(m.data(), count * m.cols(), top.data());
    return top;
}

double innerProduct(const Matrix<double>& a, const Matrix<double>& b)
{
    return std::inner_product(a.values().begin(), a.values().end(), b.values().begin(), 0.0);
}

void addScaled(Matrix<double>& to, double factor, const Matrix<double>& from)
{
    for (std::size_t i = 0; i < to.size(); ++i)
        to.values()[i] += factor * from.values()[i];
}
} // namespace

ScorePlanes::Half ScorePlanes::reduce(const Matrix<double>& w, const Matrix<double>& c, const char* which, const RunContext& context)
{
    const Matrix<double> seen = linalg::product(w.view(), c.view(), context);
    const auto eigen = linalg::symmetricEigen(linalg::product(Op::None, Op::Transpose, seen.view(), w.view(), context), context);
    // What the eigen-solver cannot tell from zero (p eps of the largest) is no direction.
    const double floor = static_cast<double>(w.rows()) * std::numeric_limits<double>::epsilon() * std::max(0.0, eigen.values[0]);
    std::int64_t p = 0;
    while (p < std::min(w.rows(), w.cols()) && eigen.values[static_cast<std::size_t>(p)] > floor)
        ++p;
    if (p == 0)
        throw Error(ErrorCode::InvalidParameter, std::string("the ") + which + " weights give nothing but zeros on the calibration's tokens");
    Half half;
    half.lambda.assign(eigen.values.begin(), eigen.values.begin() + p);
    const Matrix<double> directions = firstRows(eigen.vectors, p);
    half.reader = linalg::product(directions.view(), w.view(), context);
    half.reduced = Matrix<double>(w.rows(), p);
    for (std::int64_t j = 0; j < p; ++j) {
        const double root = std::sqrt(half.lambda[static_cast<std::size_t>(j)]);
        for (double& x : half.reader.view().row(j))
            x /= root;
        for (std::int64_t i = 0; i < w.rows(); ++i)
            half.reduced(i, j) = directions(j, i) * root;
    }
    return half;
}

void ScorePlanes::setEnergy(Half& half, const Matrix<double>& gram, const RunContext& context)
{
    auto eigen = linalg::symmetricEigen(gram, context);
    for (double& value : eigen.values)
        value = std::max(0.0, value);
    half.energy = std::move(eigen.values);
    half.start = std::move(eigen.vectors);
}

ScorePlanes::ScorePlanes(const ScoreProblem& problem, const RunContext& context)
    : m_heads(problem.heads), m_keyValueHeads(problem.keyValueHeads), m_headDim(problem.headDim), m_rotation(problem.rotation)
{
    check(problem);
    m_query = reduce(problem.query, problem.queryInputs, "query", context);
    m_key = reduce(problem.key, problem.keyInputs.empty() ? problem.queryInputs : problem.keyInputs, "key", context);
    const Moments queries = moments(m_query.reduced, m_heads, context), keys = moments(m_key.reduced, m_keyValueHeads, context);
    m_weights = problem.headWeights;
    m_weights.resize(static_cast<std::size_t>(m_heads), 1.0);
    m_headEnergy = headProducts(queries, keys);
    const double mean = std::accumulate(m_headEnergy.begin(), m_headEnergy.end(), 0.0) / static_cast<double>(m_heads);
    for (std::size_t i = 0; i < m_weights.size(); ++i) {
        if (problem.relativeHeads && m_headEnergy[i] > 0)
            m_weights[i] *= mean / m_headEnergy[i];
        m_total += m_weights[i] * m_headEnergy[i];
    }
    if (!(m_total > 0))
        throw Error(ErrorCode::InvalidParameter, "the attention scores are zero on the calibration's tokens");
    setEnergy(m_query, planeGram(m_query, seenByQueries(keys), context), context);
    setEnergy(m_key, planeGram(m_key, seenByKeys(queries), context), context);
}

ScorePlanes::Moments ScorePlanes::moments(const Matrix<double>& b, std::int64_t heads, const RunContext& context) const
{
    Moments all;
    for (std::int64_t i = 0; i < heads; ++i)
        all.push_back(linalg::gram(linalg::ConstView{b.data() + i * m_headDim * b.cols(), m_headDim, b.cols(), b.cols()}, Side::Rows, context));
    return all;
}

ScorePlanes::Moments ScorePlanes::seenByQueries(const Moments& keys) const
{
    Moments seen;
    for (std::int64_t i = 0; i < m_heads; ++i) {
        Matrix<double> y = keys[static_cast<std::size_t>(i * m_keyValueHeads / m_heads)];
        m_rotation.backward(y);
        for (double& x : y.values())
            x *= m_weights[static_cast<std::size_t>(i)];
        seen.push_back(std::move(y));
    }
    return seen;
}

ScorePlanes::Moments ScorePlanes::seenByKeys(const Moments& queries) const
{
    Moments seen(static_cast<std::size_t>(m_keyValueHeads), Matrix<double>(m_headDim, m_headDim));
    for (std::int64_t i = 0; i < m_heads; ++i)
        addScaled(seen[static_cast<std::size_t>(i * m_keyValueHeads / m_heads)], m_weights[static_cast<std::size_t>(i)], queries[static_cast<std::size_t>(i)]);
    for (Matrix<double>& x : seen)
        m_rotation.forward(x);
    return seen;
}

/// sum_i R_i^T Y_i R_i over the heads' rows R_i of half.reduced.
Matrix<double> ScorePlanes::planeGram(const Half& half, const Moments& seen, const RunContext& context) const
{
    const Matrix<double>& r = half.reduced;
    Matrix<double> mixed(r.rows(), r.cols());
    for (std::size_t i = 0; i < seen.size(); ++i) {
        const auto begin = static_cast<std::int64_t>(i) * m_headDim * r.cols();
        linalg::gemm(Op::None, Op::None, 1.0, seen[i].view(), {r.data() + begin, m_headDim, r.cols(), r.cols()}, 0.0,
                     {mixed.data() + begin, m_headDim, r.cols(), r.cols()}, context);
    }
    return linalg::product(Op::Transpose, Op::None, r.view(), mixed.view(), context);
}

std::vector<double> ScorePlanes::headProducts(const Moments& queries, const Moments& keys) const
{
    Moments turned = keys;
    for (Matrix<double>& y : turned)
        m_rotation.backward(y);
    std::vector<double> all;
    for (std::int64_t i = 0; i < m_heads; ++i)
        all.push_back(std::max(0.0, innerProduct(queries[static_cast<std::size_t>(i)], turned[static_cast<std::size_t>(i * m_keyValueHeads / m_heads)])));
    return all;
}

ScoreSolution ScorePlanes::finished(ScoreSolution solution, const Matrix<double>& queryPlane, const Matrix<double>& keyPlane, const RunContext& context) const
{
    solution.queryRank = queryPlane.rows();
    solution.keyRank = keyPlane.rows();
    solution.query = {linalg::product(Op::None, Op::Transpose, m_query.reduced.view(), queryPlane.view(), context),
                      linalg::product(queryPlane.view(), m_query.reader.view(), context)};
    solution.key = {linalg::product(Op::None, Op::Transpose, m_key.reduced.view(), keyPlane.view(), context),
                    linalg::product(keyPlane.view(), m_key.reader.view(), context)};
    const std::vector<double> kept = headProducts(moments(solution.query.b, m_heads, context), moments(solution.key.b, m_keyValueHeads, context));
    double captured = 0;
    for (std::size_t i = 0; i < kept.size(); ++i) {
        captured += m_weights[i] * kept[i];
        solution.headObjective.push_back(m_headEnergy[i] > 0 ? std::max(0.0, 1 - kept[i] / m_headEnergy[i]) : 0.0);
    }
    solution.objective = std::max(0.0, 1 - captured / m_total);
    return solution;
}

ScoreSolution ScorePlanes::solve(std::int64_t queryRank, std::int64_t keyRank, const Alternation& alternation, const RunContext& context) const
{
    if (queryRank < 1 || keyRank < 1)
        throw Error(ErrorCode::InvalidParameter, "ranks of " + std::to_string(queryRank) + " and " + std::to_string(keyRank) + " were asked for, expected at least 1");
    const std::int64_t rq = std::min<std::int64_t>(queryRank, m_query.reduced.cols()), rk = std::min<std::int64_t>(keyRank, m_key.reduced.cols());
    ScoreSolution solution;
    Matrix<double> queryPlane = firstRows(m_query.start, rq), keyPlane;
    const auto best = [&](const Half& half, const Moments& seen, std::int64_t rank) {
        const auto eigen = linalg::symmetricEigen(planeGram(half, seen, context), context);
        const double captured = std::accumulate(eigen.values.begin(), eigen.values.begin() + rank, 0.0);
        solution.history.push_back(std::max(0.0, 1 - captured / m_total));
        return firstRows(eigen.vectors, rank);
    };
    const auto latent = [&](const Half& half, const Matrix<double>& plane) {
        return linalg::product(Op::None, Op::Transpose, half.reduced.view(), plane.view(), context);
    };
    const auto keyStep = [&] { keyPlane = best(m_key, seenByKeys(moments(latent(m_query, queryPlane), m_heads, context)), rk); };
    keyStep();
    while (solution.iterations < alternation.iterations) {
        const double before = solution.history.back();
        queryPlane = best(m_query, seenByQueries(moments(latent(m_key, keyPlane), m_keyValueHeads, context)), rq);
        keyStep();
        ++solution.iterations;
        if (before - solution.history.back() <= alternation.tolerance * before)
            break;
    }
    return finished(std::move(solution), queryPlane, keyPlane, context);
}

ScoreSolution ScorePlanes::separate(std::int64_t queryRank, std::int64_t keyRank, const RunContext& context) const
{
    if (queryRank < 1 || keyRank < 1)
        throw Error(ErrorCode::InvalidParameter, "ranks of " + std::to_string(queryRank) + " and " + std::to_string(keyRank) + " were asked for, expected at least 1");
    const auto leading = [](const Half& half, std::int64_t rank) {
        Matrix<double> plane(std::min<std::int64_t>(rank, half.reduced.cols()), half.reduced.cols());
        for (std::int64_t i = 0; i < plane.rows(); ++i)
            plane(i, i) = 1;
        return plane;
    };
    return finished({}, leading(m_query, queryRank), leading(m_key, keyRank), context);
}

} // namespace tamis::lowrank
