// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/moba.h"

#include "core/kernels/elementwise.h"

#include <bit>
#include <algorithm>

namespace tamis::attention {
namespace {
constexpr std::int64_t kBlockTokens = 64, kUsualBlocks = 16; ///< of a block where texts are long; blocks that shorter ones are cut into to be compared
using kernels::ConstRows;

float product(const float* a, const float* b, std::int64_t count)
{
    float sum = 0;
    for (std::int64_t i = 0; i < count; ++i)
        sum += a[i] * b[i];
    return sum;
}

class MobaScorer final : public BlockScorer {
public:
    MobaScorer(const nn::AttentionSpec& spec, const nn::AttentionInput& input, std::int64_t block)
        : m_spec(spec), m_q(input.q), m_k(input.k), m_block(block), m_means((input.k.rows + block - 1) / block, input.k.cols)
    {
        for (std::int64_t j = 0; j < m_means.rows(); ++j)
            meanOf(j * block, std::min(input.k.rows, (j + 1) * block), 0, input.k.cols, m_means.data() + j * input.k.cols);
    }
    void score(std::int64_t query, std::int64_t head, std::span<float> scores) const override
    {
        const std::int64_t d = m_spec.headDim, column = head / (m_spec.heads / m_spec.keyValueHeads) * d;
        const float* q = m_q.data + query * m_q.stride + head * d;
        for (std::size_t j = 0; j < scores.size(); ++j)
            scores[j] = product(q, m_means.data() + static_cast<std::int64_t>(j) * m_means.cols() + column, d);
        const std::int64_t own = query / m_block;
        if (!m_spec.causal || query + 1 == std::min(m_k.rows, (own + 1) * m_block))
            return;
        std::vector<float> mean(static_cast<std::size_t>(d)); // of the part that is seen
        meanOf(own * m_block, query + 1, column, d, mean.data());
        scores[static_cast<std::size_t>(own)] = product(q, mean.data(), d);
    }

private:
    void meanOf(std::int64_t begin, std::int64_t end, std::int64_t column, std::int64_t count, float* mean) const
    {
        std::fill_n(mean, count, 0.0F);
        for (std::int64_t token = begin; token < end; ++token)
            for (std::int64_t j = 0; j < count; ++j)
                mean[j] += m_k.data[token * m_k.stride + column + j];
        for (std::int64_t j = 0; j < count; ++j)
            mean[j] /= static_cast<float>(end - begin);
    }
    nn::AttentionSpec m_spec;
    ConstRows m_q, m_k;
    std::int64_t m_block;
    tensor::Matrix<float> m_means; ///< [blocks, key-value heads dim]
};

class Moba final : public BlockSelector {
public:
    Moba(const nn::AttentionSpec& spec, std::int64_t block, std::int64_t most) : m_spec(spec), m_block(block), m_most(most) {}
    std::string_view kind() const noexcept override { return "moba"; }
    std::int64_t blockTokens() const noexcept override { return m_block; }
    std::int64_t most() const noexcept override { return m_most; }
    bool together() const noexcept override { return false; }
    std::uint64_t scoreMacs(std::int64_t seen) const noexcept override { return static_cast<std::uint64_t>(m_spec.heads * m_spec.headDim * blocks(seen)); }
    std::int64_t scoreTokens(std::int64_t seen) const noexcept override { return (blocks(seen) + 1) / 2; } // a mean is a key without a value
    std::unique_ptr<BlockScorer> prepare(const nn::AttentionInput& input) const override { return std::make_unique<MobaScorer>(m_spec, input, m_block); }

private:
    std::int64_t blocks(std::int64_t seen) const noexcept { return (seen + m_block - 1) / m_block; }
    nn::AttentionSpec m_spec;
    std::int64_t m_block, m_most;
};

nn::AttentionPtr mobaOp(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = mobaMethod().declaration.schema.complete(given);
    return selectedAttention(inputs.spec, mobaSelector(inputs.spec, parameters.integer("block"), parameters.integer("selected")));
}
} // namespace

std::shared_ptr<const BlockSelector> mobaSelector(const nn::AttentionSpec& spec, std::int64_t blockTokens, std::int64_t blocks)
{
    return std::make_shared<Moba>(spec, blockTokens, blocks);
}

Method mobaMethod()
{
    Method method;
    method.declaration = {
        .id = "attention.moba",
        .lab = "attention",
        .title = "Blocks by their mean key (MoBA)",
        .reference = "Lu et al. 2025, MoBA: exact attention over the blocks whose mean key a query points to",
        .schema = ParameterSchema({
            {.name = "selected", .title = "Selected blocks", .type = ParameterType::Integer, .defaultValue = std::int64_t{4}, .minimum = 1, .maximum = 65536, .help = "Blocks that a query reads, its own among them; all where there are no more: exact"},
            {.name = "block", .title = "Block", .type = ParameterType::Integer, .defaultValue = kBlockTokens, .minimum = 1, .maximum = 65536, .unit = "tokens", .help = "Tokens that are read together"},
        })};
    method.op = mobaOp;
    method.usual = [](std::int64_t tokens) {
        const std::int64_t block = std::min<std::int64_t>(kBlockTokens, static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(std::max<std::int64_t>(1, tokens / kUsualBlocks)))));
        std::vector<Parameters> all(3);
        for (std::size_t i = 0; i < all.size(); ++i) {
            all[i].set("selected", std::int64_t{2} << i);
            all[i].set("block", block);
        }
        return all;
    };
    return method;
}

} // namespace tamis::attention
