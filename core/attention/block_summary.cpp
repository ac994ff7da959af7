// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/block_summary.h"

#include "core/attention/row_scan.h"
#include "core/linalg/float_product.h"
#include "core/tensor/matrix.h"

#include <algorithm>
#include <vector>

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using kernels::Rows;

class SummaryScorer final : public BlockScorer {
public:
    SummaryScorer(const nn::AttentionSpec& spec, const nn::AttentionInput& input, std::shared_ptr<const BlockSummary> summary, std::int64_t block)
        : m_spec(spec), m_q(input.q), m_k(input.k), m_summary(std::move(summary)), m_block(block), m_all((input.k.rows + block - 1) / block * m_summary->rows(), input.k.cols)
    {
        for (std::int64_t first = 0, row = 0; first < m_k.rows; first += block, row += m_summary->rows())
            m_summary->summarise(keys(first, std::min(m_k.rows, first + block), 0, m_k.cols), m_all.data() + row * m_k.cols, m_k.cols);
        const std::int64_t rows = m_summary->rows();
        for (std::int64_t index = 0; index < m_all.rows() / rows; ++index)
            if (!allNumbers(m_all.data() + index * rows * m_all.cols(), rows * m_all.cols()))
                m_strange.push_back(index);
    }
    void score(std::int64_t query, std::int64_t head, std::span<float> scores) const override
    {
        const std::int64_t d = m_spec.headDim, column = head / (m_spec.heads / m_spec.keyValueHeads) * d, own = query / m_block;
        const float* q = queryAt(query, head);
        for (std::size_t j = 0; j < scores.size(); ++j)
            scores[j] = scoreOf(q, static_cast<std::int64_t>(j), column);
        if (!m_spec.causal || query + 1 == std::min(m_k.rows, (own + 1) * m_block))
            return;
        std::vector<float> part(static_cast<std::size_t>(m_summary->rows() * d)); // of what is seen
        m_summary->summarise(keys(own * m_block, query + 1, column, d), part.data(), d);
        scores[static_cast<std::size_t>(own)] = m_summary->score(q, part.data(), d, d);
    }
    /// A product [queries, dim] [dim, blocks] for each row of a summary: queries blocks rows() dim multiply-adds. Where anything is not a number, or infinite, as score() does it:
    /// 0 times what is left out of a maximum would not be 0.
    void rank(std::int64_t first, std::int64_t head, Rows scores) const override
    {
        const std::int64_t d = m_spec.headDim, column = head / (m_spec.heads / m_spec.keyValueHeads) * d, rows = m_summary->rows();
        std::vector<float> parts(static_cast<std::size_t>(scores.rows * d));
        for (std::int64_t row = 0; row < rows; ++row) {
            for (std::int64_t i = 0; i < scores.rows; ++i)
                m_summary->part(row, queryAt(first + i, head), d, parts.data() + i * d);
            linalg::floatProduct(linalg::Turn::None, linalg::Turn::Transpose, 1, ConstRows{parts.data(), scores.rows, d, d}, ConstRows{m_all.data() + row * m_all.cols() + column, scores.cols, d, rows * m_all.cols()},
                                 row > 0 ? 1.0F : 0.0F, scores);
        }
        for (std::int64_t i = 0; i < scores.rows; ++i) {
            const float* q = queryAt(first + i, head);
            if (!allNumbers(q, d))
                for (std::int64_t block = 0; block < scores.cols; ++block)
                    scores(i, block) = scoreOf(q, block, column);
            for (const std::int64_t block : m_strange)
                if (block < scores.cols)
                    scores(i, block) = scoreOf(q, block, column);
        }
    }

private:
    const float* queryAt(std::int64_t query, std::int64_t head) const { return m_q.data + query * m_q.stride + head * m_spec.headDim; }
    float scoreOf(const float* query, std::int64_t block, std::int64_t column) const
    {
        return m_summary->score(query, m_all.data() + block * m_summary->rows() * m_all.cols() + column, m_all.cols(), m_spec.headDim);
    }
    ConstRows keys(std::int64_t begin, std::int64_t end, std::int64_t column, std::int64_t count) const { return {m_k.data + begin * m_k.stride + column, end - begin, count, m_k.stride}; }
    nn::AttentionSpec m_spec;
    ConstRows m_q, m_k;
    std::shared_ptr<const BlockSummary> m_summary;
    std::int64_t m_block;
    tensor::Matrix<float> m_all; ///< [blocks rows(), key-value heads dim]
    std::vector<std::int64_t> m_strange; ///< blocks with an entry that is not a number or infinite
};

class SummarySelector final : public BlockSelector {
public:
    SummarySelector(const nn::AttentionSpec& spec, std::shared_ptr<const BlockSummary> summary, std::int64_t block, std::int64_t most)
        : m_spec(spec), m_summary(std::move(summary)), m_block(block), m_most(most)
    {
    }
    std::string_view kind() const noexcept override { return m_summary->kind(); }
    std::int64_t blockTokens() const noexcept override { return m_block; }
    std::int64_t most() const noexcept override { return m_most; }
    bool together() const noexcept override { return false; }
    std::uint64_t scoreMacs(std::int64_t seen) const noexcept override { return static_cast<std::uint64_t>(m_spec.heads * m_spec.headDim * rowsOf(seen)); }
    std::int64_t scoreTokens(std::int64_t seen) const noexcept override { return (rowsOf(seen) + 1) / 2; } // a row is a key without a value
    std::unique_ptr<BlockScorer> prepare(const nn::AttentionInput& input) const override { return std::make_unique<SummaryScorer>(m_spec, input, m_summary, m_block); }

private:
    std::int64_t rowsOf(std::int64_t seen) const noexcept { return (seen + m_block - 1) / m_block * m_summary->rows(); }
    nn::AttentionSpec m_spec;
    std::shared_ptr<const BlockSummary> m_summary;
    std::int64_t m_block, m_most;
};
} // namespace

std::shared_ptr<const BlockSelector> summarySelector(const nn::AttentionSpec& spec, std::shared_ptr<const BlockSummary> summary, std::int64_t blockTokens, std::int64_t blocks)
{
    return std::make_shared<SummarySelector>(spec, std::move(summary), blockTokens, blocks);
}

} // namespace tamis::attention
