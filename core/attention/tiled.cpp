// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/tiled.h"

#include "core/attention/visible_pairs.h"
#include "core/base/error.h"

namespace tamis::attention {
namespace {
using kernels::Rows;

class Tiled final : public nn::AttentionOp {
public:
    Tiled(const nn::AttentionSpec& spec, kernels::AttentionTiles tiles)
        : m_shape{spec.heads, spec.keyValueHeads, spec.headDim, spec.scale, spec.causal, spec.causal ? spec.slidingWindow : 0}, m_tiles(tiles)
    {
    }
    std::string_view kind() const noexcept override { return "tiled"; }
    std::int64_t heads() const noexcept override { return m_shape.heads; }
    std::int64_t headDim() const noexcept override { return m_shape.headDim; }
    nn::AttentionCost cost(std::int64_t tokens) const noexcept override
    {
        return {0, 2 * visiblePairs(m_shape, tokens) * static_cast<std::uint64_t>(m_shape.heads * m_shape.headDim), kernels::tiledAttentionFloats(m_shape, m_tiles, tokens, tokens)};
    }
    void apply(const nn::AttentionInput& input, Rows out, nn::Scratch& scratch) const override
    {
        const kernels::AttentionShape shape = shapeFor(input);
        const std::size_t workers = kernels::tiledAttentionWorkers(shape, m_tiles, input.q.rows, scratch.parallel());
        const std::size_t floats = kernels::tiledAttentionFloats(shape, m_tiles, input.q.rows, input.k.rows);
        nn::Scratch::Frame frame(scratch);
        const Rows buffer = frame.take(static_cast<std::int64_t>(workers), static_cast<std::int64_t>(floats));
        kernels::tiledAttention(shape, m_tiles, input.q, input.k, input.v, out, workers, {buffer.data, workers * floats}, scratch.context());
    }
    std::int64_t maps(std::int64_t) const noexcept override { return 1; }
    std::int64_t mapTokens(std::int64_t tokens) const noexcept override { return tokens; }
    tensor::Matrix<float> map(const nn::AttentionInput& input, std::int64_t head, std::int64_t, const RunContext& context) const override
    {
        tensor::Matrix<float> probabilities(input.q.rows, input.k.rows);
        kernels::attentionProbabilities(shapeFor(input), input.q, input.k, head, probabilities.view(), context);
        return probabilities;
    }

private:
    kernels::AttentionShape shapeFor(const nn::AttentionInput& input) const noexcept
    {
        kernels::AttentionShape shape = m_shape;
        shape.bias = input.keyBias; // strides 0: one row for all queries of all heads
        return shape;
    }
    kernels::AttentionShape m_shape;
    kernels::AttentionTiles m_tiles;
};

nn::AttentionPtr tiledOp(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = tiledMethod().declaration.schema.complete(given);
    return tiledAttention(inputs.spec, {parameters.integer("query-tile"), parameters.integer("key-tile")});
}
} // namespace

std::uint64_t visiblePairs(const kernels::AttentionShape& shape, std::int64_t tokens) noexcept
{
    const auto n = static_cast<std::uint64_t>(tokens);
    if (!shape.causal)
        return n * n;
    const std::uint64_t span = shape.slidingWindow > 0 && shape.slidingWindow < tokens ? static_cast<std::uint64_t>(shape.slidingWindow) : n;
    return span * (span + 1) / 2 + (n - span) * span;
}

TileTraffic tiledTraffic(std::int64_t tokens, std::int64_t dim, std::int64_t queryTile, std::int64_t keyTile)
{
    if (tokens < 1 || dim < 1)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(tokens) + " tokens of " + std::to_string(dim) + " features, expected at least 1 of each");
    const kernels::AttentionTiles tiles = kernels::chosenTiles({queryTile, keyTile}, tokens, tokens);
    const auto n = static_cast<std::uint64_t>(tokens), d = static_cast<std::uint64_t>(dim);
    const auto rows = static_cast<std::uint64_t>(tiles.queries), columns = static_cast<std::uint64_t>(tiles.keys);
    const std::uint64_t queryTiles = (n + rows - 1) / rows;
    return {4 * (n * d + 2 * n * d * queryTiles), 4 * n * d, 4 * ((rows + 2 * columns) * d + rows * d + rows * columns)};
}

nn::AttentionPtr tiledAttention(const nn::AttentionSpec& spec, kernels::AttentionTiles tiles)
{
    if (spec.window > 0)
        throw Error(ErrorCode::UnsupportedFeature, "found attention in windows of a grid, expected attention over all tokens", "tiled");
    kernels::chosenTiles(tiles, 1, 1); // refuses sides below 0
    return std::make_shared<Tiled>(spec, tiles);
}

Method tiledMethod()
{
    Method method;
    method.declaration = {
        .id = "attention.tiled",
        .lab = "attention",
        .title = "Exact, tile by tile (online softmax)",
        .reference = "Dao et al. 2022, FlashAttention, and 2023, FlashAttention-2; online softmax: Milakov and Gimelshein 2018",
        .schema = ParameterSchema({
            {.name = "query-tile", .title = "Queries of a tile", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 65536, .unit = "tokens",
             .help = "0: 32 below 192 tokens, 64 below 768, else 256"},
            {.name = "key-tile", .title = "Keys of a tile", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 65536, .unit = "tokens",
             .help = "0: 512; what is packed at a time"},
        })};
    method.op = tiledOp;
    return method;
}

} // namespace tamis::attention
