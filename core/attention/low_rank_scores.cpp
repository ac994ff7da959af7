// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/low_rank_scores.h"

#include "core/attention/assignment.h"
#include "core/attention/finite_samples.h"
#include "core/attention/group_mix.h"
#include "core/attention/tape_pairs.h"
#include "core/base/error.h"
#include "core/linalg/float_product.h"
#include "core/linalg/gemm.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/train/attention_ops.h"
#include "core/train/linear_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using kernels::Rows;
using linalg::Op;
using tensor::Matrix;
constexpr const char* kId = "attention.joint-qk";

/// R with R^T R = sum of x^T x: eigenvectors as rows, times the roots of their values.
Matrix<double> rootOf(const BlockSamples& samples, Matrix<float> AttentionSample::*rows)
{
    const std::int64_t dim = (samples.samples.front().*rows).cols();
    Matrix<double> gram(dim, dim);
    for (const AttentionSample& sample : samples.samples) {
        const Matrix<double> x = linalg::toDouble((sample.*rows).view());
        linalg::gemm(Op::Transpose, Op::None, 1, x.view(), x.view(), 1, gram.view());
    }
    linalg::SymmetricEigen eigen = linalg::symmetricEigen(std::move(gram));
    for (std::int64_t i = 0; i < dim; ++i)
        for (std::int64_t j = 0; j < dim; ++j)
            eigen.vectors(i, j) *= std::sqrt(std::max(eigen.values[static_cast<std::size_t>(i)], 0.0));
    return std::move(eigen.vectors);
}

Matrix<float> rounded(const Matrix<double>& matrix)
{
    Matrix<float> result(matrix.rows(), matrix.cols());
    std::transform(matrix.data(), matrix.data() + matrix.size(), result.data(), [](double value) { return static_cast<float>(value); });
    return result;
}

class LowRankScores final : public HeadRule {
public:
    explicit LowRankScores(std::shared_ptr<const ScorePlane> plane) : m_plane(std::move(plane)) {}
    std::string_view kind() const noexcept override { return "joint-qk"; }
    std::uint64_t macs(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override
    {
        const auto rank = static_cast<std::uint64_t>(m_plane->queries.cols()), dim = static_cast<std::uint64_t>(m_plane->queries.rows());
        return 2 * static_cast<std::uint64_t>(tokens) * dim * rank + pairsOf(everything(tokens), shape.causal) * (rank + static_cast<std::uint64_t>(width));
    }
    /// With the places of all tokens, as groupFloats().
    std::uint64_t liveFloats(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override
    {
        return 2 * static_cast<std::uint64_t>(tokens * m_plane->queries.cols()) + groupFloats(everything(tokens), shape.causal, m_plane->queries.cols(), width);
    }
    void mix(const HeadShape& shape, ConstRows q, ConstRows k, ConstRows v, Rows out, nn::Scratch& scratch) const override
    {
        nn::Scratch::Frame frame(scratch);
        const Rows queries = frame.take(q.rows, m_plane->queries.cols()), keys = frame.take(k.rows, m_plane->keys.cols());
        linalg::floatProduct(linalg::Turn::None, linalg::Turn::None, 1, q, m_plane->queries.view(), 0, queries);
        linalg::floatProduct(linalg::Turn::None, linalg::Turn::None, 1, k, m_plane->keys.view(), 0, keys);
        mixByGroups(shape, everything(q.rows), queries, keys, v, out, scratch);
    }

private:
    static std::vector<TokenGroup> everything(std::int64_t tokens)
    {
        TokenGroup all;
        all.queries.resize(static_cast<std::size_t>(tokens));
        std::iota(all.queries.begin(), all.queries.end(), 0);
        all.keys = all.queries;
        return {std::move(all)};
    }
    std::shared_ptr<const ScorePlane> m_plane;
};

std::int64_t rankFor(const Inputs& inputs, const Parameters& given)
{
    if (inputs.spec.window > 0)
        throw Error(ErrorCode::UnsupportedFeature, "found attention in windows of a grid, expected attention over all tokens", kId);
    return std::min(jointQkMethod().declaration.schema.complete(given).integer("rank"), inputs.spec.headDim);
}

/// Of every head of the inputs.
std::vector<ScorePlane> planesFor(const Inputs& inputs, std::int64_t rank)
{
    if (!inputs.samples)
        throw Error(ErrorCode::InvalidParameter, "found no samples to fit to, expected some", kId);
    std::vector<ScorePlane> planes;
    for (std::int64_t head = 0; head < inputs.spec.heads; ++head) {
        inputs.context.throwIfStopped(); // a head's samples times d^2
        planes.push_back(fitPlane(inputs.spec.heads == 1 ? *inputs.samples : inputs.samples->ofHead(inputs.spec, head), rank).plane);
    }
    return planes;
}

/// Planes as parameters "queries.<head>" and "keys.<head>".
class LowRankScoresOnTape final : public PairsOnTape {
public:
    LowRankScoresOnTape(const nn::AttentionSpec& spec, const std::vector<ScorePlane>& start) : PairsOnTape(spec, "queries", "keys")
    {
        for (const ScorePlane& each : start)
            addPair(each.queries, each.keys);
    }

private:
    train::Variable<float> mixBy(train::Variable<float> first, train::Variable<float> second, const train::AttentionRows<float>& rows) const override
    {
        const auto queries = train::product(rows.q, first), keys = train::product(rows.k, second);
        return train::attention(queries, keys, rows.v,
                                {.sequences = rows.sequences, .heads = 1, .keyValueHeads = 1, .scale = static_cast<double>(spec().scale), .causal = spec().causal,
                                 .window = spec().causal ? spec().slidingWindow : 0});
    }
    HeadRulePtr ruleOf(const Matrix<float>& first, const Matrix<float>& second) const override
    {
        return lowRankScoresRule(std::make_shared<ScorePlane>(ScorePlane{first, second}));
    }
};

/// Without samples, where what was trained will be put in: the first features.
std::unique_ptr<TapeOperator> jointQkOnTape(const Inputs& inputs, const Parameters& given)
{
    const std::int64_t rank = rankFor(inputs, given);
    if (inputs.samples)
        return std::make_unique<LowRankScoresOnTape>(inputs.spec, planesFor(inputs, rank));
    Matrix<float> first(inputs.spec.headDim, rank);
    for (std::int64_t i = 0; i < rank; ++i)
        first(i, i) = 1;
    return std::make_unique<LowRankScoresOnTape>(inputs.spec, std::vector<ScorePlane>(static_cast<std::size_t>(inputs.spec.heads), ScorePlane{first, first}));
}
} // namespace

/// With R_q^T R_q = Q^T Q and the same for K, Q A B^T K^T has the norm of R_q A B^T R_k^T. Let R_q R_k^T = U S V^T. A = R_k^T V S^(-1/2) gives R_q A = U S^(1/2), and
/// B = R_q^T U S^(-1/2) gives R_k B = V S^(1/2), on the first `rank` directions: the best product of that rank, with no root inverted.
FittedPlane fitPlane(const BlockSamples& oneHead, std::int64_t rank)
{
    if (oneHead.samples.empty())
        throw Error(ErrorCode::InvalidParameter, "found no samples to fit to, expected some", kId);
    requireFiniteScores(oneHead, kId);
    const std::int64_t dim = oneHead.samples.front().q.cols(), kept = std::min(rank, dim);
    const Matrix<double> queries = rootOf(oneHead, &AttentionSample::q), keys = rootOf(oneHead, &AttentionSample::k);
    const Matrix<double> x = linalg::product(Op::None, Op::Transpose, queries.view(), keys.view());
    const linalg::SymmetricEigen eigen = linalg::symmetricEigen(linalg::gram(x.view(), linalg::Side::Rows));
    FittedPlane fitted;
    for (const double square : eigen.values)
        fitted.singularValues.push_back(std::sqrt(std::max(square, 0.0)));
    const double least = static_cast<double>(dim) * std::sqrt(std::numeric_limits<double>::epsilon()) * fitted.singularValues.front(); // what their squares tell from 0
    Matrix<double> left(kept, dim), right(kept, dim); // rows: U^T S^(-1/2), V^T S^(-1/2) = U^T X S^(-3/2)
    for (std::int64_t i = 0; i < kept; ++i) {
        const double s = fitted.singularValues[static_cast<std::size_t>(i)];
        for (std::int64_t j = 0; j < dim; ++j)
            left(i, j) = s > least ? eigen.vectors(i, j) / std::sqrt(s) : 0;
    }
    linalg::gemm(Op::None, Op::None, 1, left.view(), x.view(), 0, right.view());
    for (std::int64_t i = 0; i < kept; ++i)
        for (std::int64_t j = 0; j < dim; ++j)
            right(i, j) = fitted.singularValues[static_cast<std::size_t>(i)] > least ? right(i, j) / fitted.singularValues[static_cast<std::size_t>(i)] : 0;
    fitted.plane.queries = rounded(linalg::product(Op::Transpose, Op::Transpose, keys.view(), right.view()));
    fitted.plane.keys = rounded(linalg::product(Op::Transpose, Op::Transpose, queries.view(), left.view()));
    return fitted;
}

HeadRulePtr lowRankScoresRule(std::shared_ptr<const ScorePlane> plane) { return std::make_shared<LowRankScores>(std::move(plane)); }

Method jointQkMethod()
{
    Method method;
    method.declaration = {
        .id = kId,
        .lab = "attention",
        .title = "Scores of fewer features (joint low-rank QK)",
        .reference = "Eckart, Young 1936, on the scores of samples: the best product of queries and keys of that rank, head by head; on weights: lowrank.joint-qk",
        .schema = ParameterSchema({
            {.name = "rank", .title = "Rank", .type = ParameterType::Integer, .defaultValue = std::int64_t{16}, .minimum = 1, .maximum = 4096, .step = 1, .logarithmic = true, .unit = "features",
             .help = "Features of a head's scores; as many as a head has, or more: all"},
        })};
    method.fits = true;
    method.op = [](const Inputs& inputs, const Parameters& given) {
        std::vector<ScorePlane> planes = planesFor(inputs, rankFor(inputs, given));
        return headsByRule(inputs.spec, [&](std::int64_t head) { return lowRankScoresRule(std::make_shared<ScorePlane>(std::move(planes[static_cast<std::size_t>(head)]))); });
    };
    method.onTape = jointQkOnTape;
    method.fitCost = [](const Inputs& inputs, const Parameters&, std::int64_t tokens, std::size_t samples) {
        const auto d = static_cast<std::uint64_t>(inputs.spec.headDim), n = static_cast<std::uint64_t>(tokens);
        return FitCost{static_cast<std::uint64_t>(inputs.spec.heads) * (2 * n * static_cast<std::uint64_t>(samples) * d * d + 40 * d * d * d), 8 * (n * d + 9 * d * d)};
    };
    return method;
}

} // namespace tamis::attention
