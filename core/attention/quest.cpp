// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/quest.h"

#include "core/attention/block_summary.h"

#include <algorithm>
#include <cmath>

namespace tamis::attention {
namespace {
using kernels::ConstRows;

/// The least and the largest entries of the keys.
class KeyBounds final : public BlockSummary {
public:
    std::string_view kind() const noexcept override { return "quest"; }
    std::int64_t rows() const noexcept override { return 2; }
    void summarise(ConstRows keys, float* summary, std::int64_t stride) const override
    {
        float *low = summary, *high = summary + stride;
        std::copy_n(keys.data, keys.cols, low);
        std::copy_n(keys.data, keys.cols, high);
        for (std::int64_t token = 1; token < keys.rows; ++token)
            for (std::int64_t i = 0; i < keys.cols; ++i) {
                const float key = keys.data[token * keys.stride + i];
                low[i] = std::isnan(key) ? key : std::min(low[i], key);
                high[i] = std::isnan(key) ? key : std::max(high[i], key);
            }
    }
    float score(const float* query, const float* summary, std::int64_t stride, std::int64_t dim) const override
    {
        float sum = 0;
        for (std::int64_t i = 0; i < dim; ++i)
            sum += std::max(query[i] * summary[i], query[i] * summary[stride + i]);
        return sum;
    }
    /// max(q low, q high) = min(q, 0) low + max(q, 0) high, as low <= high.
    void part(std::int64_t row, const float* query, std::int64_t dim, float* part) const override
    {
        for (std::int64_t i = 0; i < dim; ++i)
            part[i] = row == 0 ? std::min(query[i], 0.0F) : std::max(query[i], 0.0F);
    }
};

nn::AttentionPtr questOp(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = questMethod().declaration.schema.complete(given);
    return selectedAttention(inputs.spec, questSelector(inputs.spec, parameters.integer("page"), parameters.integer("selected")));
}
} // namespace

std::shared_ptr<const BlockSelector> questSelector(const nn::AttentionSpec& spec, std::int64_t pageTokens, std::int64_t pages)
{
    return summarySelector(spec, std::make_shared<KeyBounds>(), pageTokens, pages);
}

Method questMethod()
{
    Method method;
    method.declaration = {
        .id = "attention.quest",
        .lab = "attention",
        .title = "Pages by bounds of their keys (Quest)",
        .reference = "Tang et al. 2024, Quest: exact attention over the pages whose keys may have the largest score, by their least and largest entries",
        .schema = ParameterSchema({
            {.name = "selected", .title = "Selected pages", .type = ParameterType::Integer, .defaultValue = std::int64_t{16}, .minimum = 1, .maximum = 65536, .help = "Pages that a query reads, its own among them; all where there are no more: exact"},
            {.name = "page", .title = "Page", .type = ParameterType::Integer, .defaultValue = std::int64_t{16}, .minimum = 1, .maximum = 65536, .unit = "tokens", .help = "Tokens that are read together"},
        })};
    method.op = questOp;
    return method;
}

} // namespace tamis::attention
