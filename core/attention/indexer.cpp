// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/indexer.h"

#include "core/attention/finite_samples.h"
#include "core/attention/row_scan.h"
#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/linalg/float_product.h"
#include "core/linalg/gemm.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/linalg/triangular_solve.h"
#include "core/linalg/whitening.h"

#include <algorithm>
#include <string>

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using linalg::Op;
using linalg::Turn;
constexpr double kRidge = 1e-6; ///< of the mean diagonal: keys that use fewer directions than they have
constexpr const char* kId = "attention.indexer";

class IndexScorer final : public BlockScorer {
public:
    IndexScorer(const nn::AttentionSpec& spec, const IndexProjection& projection, const nn::AttentionInput& input)
        : m_heads(spec.heads), m_queries(input.q.rows * spec.heads, projection.dim()), m_keys(input.k.rows, projection.dim())
    {
        const std::int64_t d = spec.headDim, r = projection.dim(), group = spec.heads / spec.keyValueHeads;
        linalg::floatProduct(Turn::None, Turn::Transpose, 1, input.k, projection.key.view(), 0, m_keys.view());
        for (std::int64_t head = 0; head < m_heads; ++head) // rows head, head + heads, ...: token by token
            linalg::floatProduct(Turn::None, Turn::Transpose, 1, ConstRows{input.q.data + head * d, input.q.rows, d, input.q.stride},
                                 ConstRows{projection.query.data() + head / group * r * d, r, d, d}, 0, kernels::Rows{m_queries.data() + head * r, input.q.rows, r, m_heads * r});
    }
    void score(std::int64_t query, std::int64_t head, std::span<float> scores) const override
    {
        const auto count = static_cast<std::int64_t>(scores.size());
        rank(query, head, {scores.data(), 1, count, count});
    }
    /// queries heads tokens dim() multiply-adds, and as many additions of numbers as there are queries heads tokens.
    void rank(std::int64_t first, std::int64_t, kernels::Rows scores) const override
    {
        const std::int64_t r = m_keys.cols(), rows = scores.rows, count = scores.cols;
        std::vector<float> products(static_cast<std::size_t>(rows * count));
        for (std::int64_t i = 0; i < rows; ++i)
            std::ranges::fill(scores.row(i), 0.0F);
        for (std::int64_t head = 0; head < m_heads; ++head) {
            linalg::floatProduct(linalg::Turn::None, linalg::Turn::Transpose, 1, ConstRows{m_queries.data() + (first * m_heads + head) * r, rows, r, m_heads * r}, ConstRows{m_keys.data(), count, r, r}, 0,
                                 kernels::Rows{products.data(), rows, count, count});
            for (std::int64_t i = 0; i < rows; ++i)
                addPositive(products.data() + i * count, scores.row(i).data(), count);
        }
    }

private:
    std::int64_t m_heads;
    tensor::Matrix<float> m_queries, m_keys; ///< [tokens heads, r], [tokens, r]
};

class Index final : public BlockSelector {
public:
    Index(const nn::AttentionSpec& spec, IndexProjection projection, std::int64_t tokens) : m_spec(spec), m_projection(std::move(projection)), m_tokens(tokens) {}
    std::string_view kind() const noexcept override { return "indexer"; }
    std::int64_t blockTokens() const noexcept override { return 1; }
    std::int64_t most() const noexcept override { return m_tokens; }
    bool together() const noexcept override { return true; }
    std::uint64_t parameters() const noexcept override { return m_projection.query.size() + m_projection.key.size(); }
    /// The scores, and the projections of one token.
    std::uint64_t scoreMacs(std::int64_t seen) const noexcept override
    {
        const std::int64_t r = m_projection.dim(), d = m_spec.headDim;
        return static_cast<std::uint64_t>(m_spec.heads * r * seen + (m_spec.heads + m_spec.keyValueHeads) * d * r);
    }
    /// One index of r numbers serves all key-value heads.
    std::int64_t scoreTokens(std::int64_t seen) const noexcept override
    {
        const std::int64_t floats = 2 * m_spec.headDim * m_spec.keyValueHeads;
        return (seen * m_projection.dim() + floats - 1) / floats;
    }
    std::unique_ptr<BlockScorer> prepare(const nn::AttentionInput& input) const override { return std::make_unique<IndexScorer>(m_spec, m_projection, input); }

private:
    nn::AttentionSpec m_spec;
    IndexProjection m_projection;
    std::int64_t m_tokens;
};

void addGram(tensor::Matrix<double>& sum, std::int64_t at, ConstRows rows)
{
    const tensor::Matrix<double> gram = linalg::gram(rows, linalg::Side::Columns);
    for (std::int64_t i = 0; i < rows.cols; ++i)
        for (std::int64_t j = 0; j < rows.cols; ++j)
            sum(at + i, at + j) += gram(i, j);
}

FitCost fitCostOf(const Inputs& inputs, const Parameters&, std::int64_t tokens, std::size_t samples)
{
    const auto d = static_cast<std::uint64_t>(inputs.spec.headDim), all = d * static_cast<std::uint64_t>(inputs.spec.keyValueHeads);
    const auto rows = static_cast<std::uint64_t>(tokens) * static_cast<std::uint64_t>(samples);
    return {rows * (all * all + static_cast<std::uint64_t>(inputs.spec.heads) * d * d) + 20 * all * all * all, 8 * 9 * all * all}; // decompositions: about n^3 each, ten of them the eigenvectors'
}

nn::AttentionPtr indexerOp(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = indexerMethod().declaration.schema.complete(given);
    if (!inputs.samples)
        throw Error(ErrorCode::InvalidParameter, "found no samples to fit the index to, expected some", kId);
    requireMemory(fitCostOf(inputs, given, 0, 0).bytes, kId);
    const std::int64_t directions = std::min(parameters.integer("width"), inputs.spec.keyValueHeads * inputs.spec.headDim);
    return selectedAttention(inputs.spec, indexSelector(inputs.spec, fitIndex(inputs.spec, *inputs.samples, directions, inputs.context), parameters.integer("tokens")));
}
} // namespace

IndexProjection fitIndex(const nn::AttentionSpec& spec, const BlockSamples& samples, std::int64_t directions, const RunContext& context)
{
    const std::int64_t d = spec.headDim, group = spec.heads / spec.keyValueHeads, all = spec.keyValueHeads * d;
    if (samples.samples.empty() || directions < 1 || directions > all)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(samples.samples.size()) + " samples and " + std::to_string(directions) + " directions, expected a sample and 1 to " + std::to_string(all) + " directions", kId);
    requireFiniteScores(samples, kId);
    tensor::Matrix<double> queries(all, all), keys(all, all);
    for (const AttentionSample& sample : samples.samples) {
        context.throwIfStopped();
        addGram(keys, 0, sample.k.view());
        for (std::int64_t head = 0; head < spec.heads; ++head) {
            context.throwIfStopped();
            addGram(queries, head / group * d, ConstRows{sample.q.data() + head * d, sample.q.rows(), d, sample.q.cols()});
        }
    }
    const double ridge = kRidge * linalg::meanDiagonal(keys);
    const auto root = linalg::choleskyRoot(linalg::withRidge(std::move(keys), ridge));
    if (!root)
        throw Error(ErrorCode::NonFinite, "found keys without any spread, expected some to fit to", kId);
    const auto turned = linalg::product(Op::Transpose, Op::None, root->view(), queries.view());
    context.throwIfStopped();
    const linalg::SymmetricEigen eigen = linalg::symmetricEigen(linalg::product(Op::None, Op::None, turned.view(), root->view()));
    tensor::Matrix<double> top(directions, all); // V_r^T
    std::copy_n(eigen.vectors.data(), directions * all, top.data());
    const auto query = linalg::product(Op::None, Op::Transpose, top.view(), root->view());
    linalg::solveRight(Op::None, root->view(), top.view());
    IndexProjection projection{tensor::Matrix<float>(spec.keyValueHeads * directions, d), tensor::Matrix<float>(directions, all)};
    for (std::int64_t i = 0; i < directions; ++i)
        for (std::int64_t j = 0; j < all; ++j) {
            projection.key(i, j) = static_cast<float>(top(i, j));
            projection.query(j / d * directions + i, j % d) = static_cast<float>(query(i, j));
        }
    return projection;
}

std::shared_ptr<const BlockSelector> indexSelector(const nn::AttentionSpec& spec, IndexProjection projection, std::int64_t tokens)
{
    return std::make_shared<Index>(spec, std::move(projection), tokens);
}

Method indexerMethod()
{
    Method method;
    method.declaration = {
        .id = "attention.indexer",
        .lab = "attention",
        .title = "Tokens by a small index (lightning indexer)",
        .reference = "DeepSeek-AI 2025, DeepSeek-V3.2-Exp: exact attention to the tokens of the largest sum of ReLU(q k) of a small index; here fitted to samples, not learned",
        .schema = ParameterSchema({
            {.name = "tokens", .title = "Tokens", .type = ParameterType::Integer, .defaultValue = std::int64_t{64}, .minimum = 1, .maximum = 65536, .unit = "tokens", .help = "That a query of all heads reads, its own among them; all where there are no more: exact"},
            {.name = "width", .title = "Width of the index", .type = ParameterType::Integer, .defaultValue = std::int64_t{16}, .minimum = 1, .maximum = 4096, .help = "Numbers a token of the index; at most the features of all its keys: the scores are then exact"},
        })};
    method.fits = true;
    method.op = indexerOp;
    method.fitCost = fitCostOf;
    return method;
}

} // namespace tamis::attention
