// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/nn/relative_attention.h"

#include "core/base/error.h"
#include "core/kernels/elementwise.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace tamis::nn {

namespace {
constexpr std::int64_t kMostKept = 1 << 22; // floats of a block's biases written out; larger ones are written out at every call

void require(bool holds, const std::string& message)
{
    if (!holds)
        throw Error(ErrorCode::InvalidParameter, message, "relative position bias");
}

bool isKept(std::int64_t heads, std::int64_t tokens) noexcept { return heads * tokens * tokens <= kMostKept; }

AttentionCost costOf(std::int64_t heads, std::int64_t headDim, std::int64_t tokens, std::uint64_t parameters) noexcept
{
    const std::uint64_t pairs = static_cast<std::uint64_t>(tokens) * static_cast<std::uint64_t>(tokens);
    return {parameters, 2 * pairs * static_cast<std::uint64_t>(heads * headDim), isKept(heads, tokens) ? 0 : pairs * static_cast<std::uint64_t>(heads)};
}

/// The table, one row a head; of every displacement of rows those of columns from the last to the first, so that a row of keys is one run.
struct Biases {
    std::int64_t rows = 0, columns = 0; ///< of the grid
    tensor::Matrix<float> byHead;       ///< [heads, places + 3]
    std::int64_t tokens() const noexcept { return 1 + rows * columns; }
    /// Of source token `query` against all, [tokens()].
    void row(std::int64_t head, std::int64_t query, float* out) const noexcept
    {
        const std::int64_t across = 2 * columns - 1, places = (2 * rows - 1) * across;
        const float* table = byHead.data() + head * byHead.cols();
        if (query == 0) {
            out[0] = table[places + 2];
            std::fill_n(out + 1, rows * columns, table[places]);
            return;
        }
        out[0] = table[places + 1];
        const std::int64_t y = (query - 1) / columns, x = (query - 1) % columns;
        for (std::int64_t row = 0; row < rows; ++row)
            std::copy_n(table + (y - row + rows - 1) * across + columns - 1 - x, columns, out + 1 + row * columns);
    }
};

class RelativeAttention final : public AttentionOp {
public:
    RelativeAttention(kernels::AttentionShape shape, std::shared_ptr<const Biases> biases, std::int64_t tokens, std::vector<float> written, std::uint64_t parameters)
        : m_shape(shape), m_biases(std::move(biases)), m_tokens(tokens), m_written(std::move(written)), m_parameters(parameters)
    {
        if (m_written.empty() && isKept(m_shape.heads, tokens)) {
            m_written.resize(static_cast<std::size_t>(m_shape.heads * tokens * tokens));
            writeSources(m_written.data());
        }
    }
    const Biases& biases() const noexcept { return *m_biases; }
    AttentionPtr over(std::vector<float> written, std::int64_t tokens) const
    {
        return std::make_shared<RelativeAttention>(m_shape, m_biases, tokens, std::move(written), m_parameters);
    }

    std::string_view kind() const noexcept override { return "relative"; }
    std::int64_t heads() const noexcept override { return m_shape.heads; }
    std::int64_t headDim() const noexcept override { return m_shape.headDim; }
    AttentionCost cost(std::int64_t tokens) const noexcept override
    {
        return costOf(m_shape.heads, m_shape.headDim, tokens, m_parameters);
    }
    void apply(const AttentionInput& input, kernels::Rows out, Scratch& scratch) const override
    {
        Scratch::Frame frame(scratch);
        const bool asItIs = !m_written.empty() && !input.keyBias;
        const float* bias = asItIs ? m_written.data() : biasFor(input, frame.take(m_shape.heads * m_tokens, m_tokens).data);
        kernels::softmaxAttention(shapeWith(input, bias), input.q, input.k, input.v, out, scratch.parallel(), scratch.context());
    }
    std::int64_t maps(std::int64_t) const noexcept override { return 1; }
    std::int64_t mapTokens(std::int64_t tokens) const noexcept override { return tokens; }
    tensor::Matrix<float> map(const AttentionInput& input, std::int64_t head, std::int64_t, const RunContext& context) const override
    {
        std::vector<float> bias(static_cast<std::size_t>(m_shape.heads * m_tokens * m_tokens));
        tensor::Matrix<float> probabilities(input.q.rows, input.k.rows);
        kernels::attentionProbabilities(shapeWith(input, biasFor(input, bias.data())), input.q, input.k, head, probabilities.view(), context);
        return probabilities;
    }

private:
    kernels::AttentionShape shapeWith(const AttentionInput& input, const float* bias) const
    {
        require(input.q.rows == m_tokens && input.k.rows == m_tokens,
                "found " + std::to_string(input.q.rows) + " queries and " + std::to_string(input.k.rows) + " keys, expected " + std::to_string(m_tokens) + " of each");
        kernels::AttentionShape shape = m_shape;
        shape.bias = bias;
        shape.biasHeadStride = m_tokens * m_tokens;
        shape.biasRowStride = m_tokens;
        return shape;
    }
    /// Writes it out, [heads, tokens, tokens], with the bias of every key.
    const float* biasFor(const AttentionInput& input, float* to) const
    {
        if (m_written.empty())
            writeSources(to);
        else
            std::ranges::copy(m_written, to);
        if (input.keyBias)
            for (std::int64_t row = 0; row < m_shape.heads * m_tokens; ++row)
                for (std::int64_t j = 0; j < m_tokens; ++j)
                    to[row * m_tokens + j] += input.keyBias[j];
        return to;
    }
    void writeSources(float* to) const noexcept
    {
        for (std::int64_t head = 0; head < m_shape.heads; ++head)
            for (std::int64_t i = 0; i < m_tokens; ++i, to += m_tokens)
                m_biases->row(head, i, to);
    }
    kernels::AttentionShape m_shape;
    std::shared_ptr<const Biases> m_biases;
    std::int64_t m_tokens;
    std::vector<float> m_written; ///< [heads, tokens, tokens]; empty: too large to keep
    std::uint64_t m_parameters;
};

/// The sources of every token, one list after the other: those of token t are [first[t], first[t + 1]).
struct Members {
    std::vector<std::int64_t> sources, first;
    std::span<const std::int64_t> of(std::int64_t token) const noexcept
    {
        const auto t = static_cast<std::size_t>(token);
        return {sources.data() + first[t], sources.data() + first[t + 1]};
    }
};

Members membersOf(std::span<const std::int32_t> heldBy, std::int64_t tokens)
{
    Members m;
    m.first.assign(static_cast<std::size_t>(tokens) + 1, 0);
    for (const std::int32_t token : heldBy) {
        require(token >= -1 && token < tokens, "found token " + std::to_string(token) + ", expected -1 to " + std::to_string(tokens - 1));
        if (token >= 0)
            ++m.first[static_cast<std::size_t>(token) + 1];
    }
    for (std::size_t t = 0; t < static_cast<std::size_t>(tokens); ++t) {
        require(m.first[t + 1] > 0, "found token " + std::to_string(t) + " without a source, expected one at least in each");
        m.first[t + 1] += m.first[t];
    }
    std::vector<std::int64_t> next(m.first.begin(), m.first.end() - 1);
    m.sources.resize(static_cast<std::size_t>(m.first.back()));
    for (std::size_t source = 0; source < heldBy.size(); ++source)
        if (heldBy[source] >= 0)
            m.sources[static_cast<std::size_t>(next[static_cast<std::size_t>(heldBy[source])]++)] = static_cast<std::int64_t>(source);
    return m;
}
/// Of token `query` against all, [tokens]: the mean over its sources against every source, then the mean of that over the sources of each key.
void writeMeans(const Biases& biases, const Members& m, std::int64_t head, std::int64_t query, float* to)
{
    static thread_local std::vector<float> mean, row;
    mean.resize(static_cast<std::size_t>(biases.tokens()));
    const std::span<const std::int64_t> queries = m.of(query);
    biases.row(head, queries[0], mean.data());
    if (queries.size() > 1) {
        row.resize(mean.size());
        for (const std::int64_t source : queries.subspan(1)) {
            biases.row(head, source, row.data());
            kernels::add(row, mean);
        }
        const auto count = static_cast<float>(queries.size());
        for (float& value : mean)
            value /= count;
    }
    for (std::size_t token = 0; token + 1 < m.first.size(); ++token) {
        const std::span<const std::int64_t> keys = m.of(static_cast<std::int64_t>(token));
        float sum = mean[static_cast<std::size_t>(keys[0])];
        if (keys.size() > 1) {
            for (const std::int64_t source : keys.subspan(1))
                sum += mean[static_cast<std::size_t>(source)];
            sum /= static_cast<float>(keys.size());
        }
        to[token] = sum;
    }
}
} // namespace

AttentionCost relativeCost(const AttentionSpec& spec, std::int64_t tokens, std::uint64_t parameters) noexcept
{
    return costOf(spec.heads, spec.headDim, tokens, parameters);
}

AttentionPtr relativeAttention(const AttentionSpec& spec, tensor::MatrixView<const float> biasTable, std::uint64_t parameters)
{
    auto biases = std::make_shared<Biases>();
    biases->rows = spec.window;
    biases->columns = spec.windowColumns();
    const std::int64_t places = (2 * biases->rows - 1) * (2 * biases->columns - 1);
    require(biases->rows >= 1 && biases->columns >= 1 && biasTable.rows == places + 3 && biasTable.cols == spec.heads,
            "found a table of [" + std::to_string(biasTable.rows) + ", " + std::to_string(biasTable.cols) + "], expected [" + std::to_string(places + 3) + ", " + std::to_string(spec.heads) + "]");
    biases->byHead = tensor::Matrix<float>(spec.heads, places + 3);
    const std::int64_t across = 2 * biases->columns - 1;
    for (std::int64_t head = 0; head < spec.heads; ++head)
        for (std::int64_t place = 0; place < places + 3; ++place) {
            const std::int64_t turned = place < places ? place / across * across + across - 1 - place % across : place;
            biases->byHead(head, turned) = biasTable(place, head);
        }
    const kernels::AttentionShape shape{spec.heads, spec.keyValueHeads, spec.headDim, spec.scale};
    const std::int64_t tokens = biases->tokens();
    return std::make_shared<RelativeAttention>(shape, std::move(biases), tokens, std::vector<float>(), parameters);
}

AttentionPtr relativeOver(const AttentionOp& attention, std::span<const std::int32_t> heldBy, std::int64_t tokens)
{
    const auto* relative = dynamic_cast<const RelativeAttention*>(&attention);
    if (!relative)
        return nullptr;
    const Biases& biases = relative->biases();
    require(static_cast<std::int64_t>(heldBy.size()) == biases.tokens(), "found " + std::to_string(heldBy.size()) + " source tokens, expected " + std::to_string(biases.tokens()));
    const Members members = membersOf(heldBy, tokens);
    std::vector<float> written(static_cast<std::size_t>(relative->heads() * tokens * tokens));
    for (std::int64_t head = 0; head < relative->heads(); ++head)
        for (std::int64_t i = 0; i < tokens; ++i)
            writeMeans(biases, members, head, i, written.data() + (head * tokens + i) * tokens);
    return relative->over(std::move(written), tokens);
}

} // namespace tamis::nn
