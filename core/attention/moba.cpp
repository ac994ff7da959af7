// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/moba.h"

#include "core/attention/block_summary.h"
#include "core/attention/scalar_product.h"

#include <algorithm>
#include <bit>

namespace tamis::attention {
namespace {
constexpr std::int64_t kBlockTokens = 64, kUsualBlocks = 16; ///< of a block where texts are long; blocks that shorter ones are cut into to be compared
using kernels::ConstRows;

/// The mean of the keys.
class MeanKey final : public BlockSummary {
public:
    std::string_view kind() const noexcept override { return "moba"; }
    std::int64_t rows() const noexcept override { return 1; }
    void summarise(ConstRows keys, float* summary, std::int64_t) const override
    {
        std::fill_n(summary, keys.cols, 0.0F);
        for (std::int64_t token = 0; token < keys.rows; ++token)
            for (std::int64_t j = 0; j < keys.cols; ++j)
                summary[j] += keys.data[token * keys.stride + j];
        for (std::int64_t j = 0; j < keys.cols; ++j)
            summary[j] /= static_cast<float>(keys.rows);
    }
    float score(const float* query, const float* summary, std::int64_t, std::int64_t dim) const override { return scalarProduct(query, summary, dim); }
    void part(std::int64_t, const float* query, std::int64_t dim, float* part) const override { std::copy_n(query, dim, part); }
};

nn::AttentionPtr mobaOp(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = mobaMethod().declaration.schema.complete(given);
    return selectedAttention(inputs.spec, mobaSelector(inputs.spec, parameters.integer("block"), parameters.integer("selected")));
}
} // namespace

std::shared_ptr<const BlockSelector> mobaSelector(const nn::AttentionSpec& spec, std::int64_t blockTokens, std::int64_t blocks)
{
    return summarySelector(spec, std::make_shared<MeanKey>(), blockTokens, blocks);
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
