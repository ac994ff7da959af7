// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/linformer.h"

#include "core/attention/softmax_mix.h"
#include "core/base/error.h"
#include "core/linalg/float_product.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using kernels::Rows;

/// Row t of a projection depends on seed and t alone: another number of tokens has the same rows.
void drawRow(std::uint64_t seed, std::int64_t token, float deviation, float* row, std::int64_t count)
{
    std::seed_seq mixed{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U), static_cast<std::uint32_t>(token)};
    std::mt19937 random(mixed);
    std::normal_distribution<float> normal(0, deviation);
    for (std::int64_t j = 0; j < count; ++j)
        row[j] = normal(random);
}

class Linformer final : public HeadRule {
public:
    Linformer(TokenProjection projection, std::int64_t rows, std::uint64_t seed) : m_projection(projection), m_rows(rows), m_seed(seed) {}
    std::string_view kind() const noexcept override { return "linformer"; }
    std::uint64_t macs(std::int64_t tokens, std::int64_t width) const noexcept override
    {
        const std::int64_t rows = rowsFor(tokens);
        const std::int64_t projecting = m_projection == TokenProjection::Random ? 2 * tokens * rows * width : 0; // means are additions
        return static_cast<std::uint64_t>(projecting + 2 * tokens * rows * width);
    }
    std::uint64_t liveFloats(std::int64_t tokens, std::int64_t width) const noexcept override
    {
        const std::int64_t rows = rowsFor(tokens);
        return static_cast<std::uint64_t>(2 * rows * width + tokens * rows);
    }
    void mix(const HeadShape& shape, ConstRows q, ConstRows k, ConstRows v, Rows out, nn::Scratch& scratch) const override
    {
        nn::Scratch::Frame frame(scratch);
        const std::int64_t rows = rowsFor(k.rows);
        const Rows keys = frame.take(rows, k.cols), values = frame.take(rows, v.cols);
        if (m_projection == TokenProjection::MeanPool) {
            segmentMeans(k, keys);
            segmentMeans(v, values);
        } else {
            project(2 * m_seed, k, keys, scratch);
            project(2 * m_seed + 1, v, values, scratch);
        }
        mixBySoftmax(shape.scale, q, keys, values, out, scratch);
    }

private:
    std::int64_t rowsFor(std::int64_t tokens) const noexcept { return m_projection == TokenProjection::MeanPool ? std::min(m_rows, tokens) : m_rows; }
    void project(std::uint64_t seed, ConstRows x, Rows y, nn::Scratch& scratch) const
    {
        nn::Scratch::Frame frame(scratch);
        const Rows projection = frame.take(x.rows, y.rows);
        for (std::int64_t token = 0; token < x.rows; ++token)
            drawRow(seed, token, 1 / std::sqrt(static_cast<float>(y.rows)), projection.data + token * projection.stride, y.rows);
        linalg::floatProduct(linalg::Turn::Transpose, linalg::Turn::None, 1, projection, x, 0, y);
    }
    TokenProjection m_projection;
    std::int64_t m_rows;
    std::uint64_t m_seed;
};

nn::AttentionPtr linformerOp(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = linformerMethod().declaration.schema.complete(given);
    if (inputs.spec.causal)
        throw Error(ErrorCode::UnsupportedFeature, "found causal attention, expected attention to all tokens: a projected key holds tokens that a query must not see", "attention.linformer");
    const auto projection = parameters.text("projection") == "mean-pool" ? TokenProjection::MeanPool : TokenProjection::Random;
    return headwise(inputs.spec, linformerRule(projection, parameters.integer("rows"), inputs.seed + static_cast<std::uint64_t>(inputs.block)));
}
} // namespace

HeadRulePtr linformerRule(TokenProjection projection, std::int64_t rows, std::uint64_t seed) { return std::make_shared<Linformer>(projection, rows, seed); }

Method linformerMethod()
{
    Method method;
    method.declaration = {
        .id = "attention.linformer",
        .lab = "attention",
        .title = "Projected keys and values (Linformer)",
        .reference = "Wang et al. 2020, Linformer: keys and values projected along the tokens",
        .schema = ParameterSchema({
            {.name = "rows", .title = "Projected tokens", .type = ParameterType::Integer, .defaultValue = std::int64_t{64}, .minimum = 1, .maximum = 65536, .help = "Keys that every query sees instead of all"},
            {.name = "projection", .title = "Projection", .type = ParameterType::Choice, .defaultValue = std::string("mean-pool"), .help = "mean-pool: means over neighbouring tokens; random: noise in models that were not trained with it",
             .choices = {"mean-pool", "random"}},
        })};
    method.op = linformerOp;
    return method;
}

} // namespace tamis::attention
