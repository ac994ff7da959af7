// SPDX-License-Identifier: GPL-3.0-or-later
// Swin (Liu et al. 2021): attention inside windows of the token grid, shifted cyclically by half a window in every second
// block. Tokens are gathered window by window; those that the shift brought together from opposite borders are kept apart
// by adding -100 to their scores, as the checkpoints were trained.
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/nn/attention_op.h"
#include "core/nn/model_spec.h"

#include <algorithm>
#include <array>

namespace tamis::nn {

namespace {
constexpr float kApart = -100.0f;

class WindowAttention final : public AttentionOp {
public:
    WindowAttention(const AttentionSpec& spec, std::int64_t gridHeight, std::int64_t gridWidth, tensor::MatrixView<const float> table);
    std::string_view kind() const noexcept override { return "window"; }
    std::int64_t heads() const noexcept override { return m_shape.heads; }
    std::int64_t headDim() const noexcept override { return m_shape.headDim; }
    AttentionCost cost(std::int64_t) const noexcept override
    {
        const auto size = static_cast<std::uint64_t>(windowTokens()), width = static_cast<std::uint64_t>(m_shape.heads * m_shape.headDim);
        return {static_cast<std::uint64_t>((2 * m_rows - 1) * (2 * m_columns - 1) * m_shape.heads), 2 * static_cast<std::uint64_t>(windows()) * size * size * width,
                4 * static_cast<std::uint64_t>(windows()) * size * width};
    }
    void apply(const AttentionInput& input, kernels::Rows out, Scratch& scratch) const override;
    std::int64_t maps(std::int64_t) const noexcept override { return windows(); }
    std::int64_t mapTokens(std::int64_t) const noexcept override { return windowTokens(); }
    tensor::Matrix<float> map(const AttentionInput& input, std::int64_t head, std::int64_t window, const RunContext& context) const override;

private:
    std::int64_t windows() const noexcept { return m_down * m_across; }
    std::int64_t windowTokens() const noexcept { return m_rows * m_columns; }
    /// Grid token at place `place` of a window, -1 for padding.
    std::int64_t tokenAt(std::int64_t window, std::int64_t place) const noexcept;
    void gather(kernels::ConstRows from, const float* padding, std::int64_t window, kernels::Rows to) const;
    kernels::AttentionShape shapeOf(std::int64_t window) const noexcept;
    void fillBias(tensor::MatrixView<const float> table);

    kernels::AttentionShape m_shape;
    std::int64_t m_rows, m_columns, m_shiftRows, m_shiftColumns; ///< of a window
    std::int64_t m_height, m_width, m_down, m_across;            ///< of the grid, in tokens and in windows
    bool m_shiftFirst;
    std::array<std::vector<float>, 4> m_bias; ///< [heads, tokens, tokens]: inner, last column, last row, last corner
};

WindowAttention::WindowAttention(const AttentionSpec& spec, std::int64_t gridHeight, std::int64_t gridWidth, tensor::MatrixView<const float> table)
    : m_shape{spec.heads, spec.heads, spec.headDim, spec.scale}, m_rows(spec.window), m_columns(spec.windowColumns()), m_shiftRows(spec.shift),
      m_shiftColumns(spec.shiftColumns()), m_height(gridHeight), m_width(gridWidth), m_down((gridHeight + spec.window - 1) / spec.window),
      m_across((gridWidth + spec.windowColumns() - 1) / spec.windowColumns()), m_shiftFirst(spec.shiftBeforePadding)
{
    const std::int64_t places = (2 * m_rows - 1) * (2 * m_columns - 1);
    if (m_rows < 1 || m_columns < 1 || m_shiftRows < 0 || m_shiftRows >= m_rows || m_shiftColumns < 0 || m_shiftColumns >= m_columns || table.rows != places || table.cols != spec.heads)
        throw Error(ErrorCode::InvalidParameter, "windows of " + std::to_string(m_rows) + " x " + std::to_string(m_columns) + " with shift " + std::to_string(m_shiftRows) + ", " +
                                                     std::to_string(m_shiftColumns) + " need a bias table of [" + std::to_string(places) + ", " + std::to_string(spec.heads) + "], found [" +
                                                     std::to_string(table.rows) + ", " + std::to_string(table.cols) + "]");
    fillBias(table);
}

void WindowAttention::fillBias(tensor::MatrixView<const float> table)
{
    const std::int64_t tokens = windowTokens(), side = 2 * m_columns - 1;
    for (std::size_t kind = 0; kind < m_bias.size(); ++kind) {
        if (kind > 0 && m_shiftRows == 0 && m_shiftColumns == 0)
            break;
        auto& bias = m_bias[kind];
        bias.resize(static_cast<std::size_t>(m_shape.heads * tokens * tokens));
        for (std::int64_t h = 0; h < m_shape.heads; ++h)
            for (std::int64_t i = 0; i < tokens; ++i)
                for (std::int64_t j = 0; j < tokens; ++j) {
                    const std::int64_t yi = i / m_columns, xi = i % m_columns, yj = j / m_columns, xj = j % m_columns;
                    const bool apartRows = (yi >= m_rows - m_shiftRows) != (yj >= m_rows - m_shiftRows);
                    const bool apartColumns = (xi >= m_columns - m_shiftColumns) != (xj >= m_columns - m_shiftColumns);
                    const bool apart = ((kind & 2) && apartRows) || ((kind & 1) && apartColumns);
                    bias[static_cast<std::size_t>((h * tokens + i) * tokens + j)] =
                        table((yi - yj + m_rows - 1) * side + xi - xj + m_columns - 1, h) + (apart ? kApart : 0.0f);
                }
    }
}

std::int64_t WindowAttention::tokenAt(std::int64_t window, std::int64_t place) const noexcept
{
    std::int64_t y = window / m_across * m_rows + place / m_columns, x = window % m_across * m_columns + place % m_columns;
    if (m_shiftFirst && (y >= m_height || x >= m_width)) // the padding came after the shift
        return -1;
    const std::int64_t height = m_shiftFirst ? m_height : m_down * m_rows, width = m_shiftFirst ? m_width : m_across * m_columns;
    y = (y + m_shiftRows) % height;
    x = (x + m_shiftColumns) % width;
    return y < m_height && x < m_width ? y * m_width + x : -1;
}

void WindowAttention::gather(kernels::ConstRows from, const float* padding, std::int64_t window, kernels::Rows to) const
{
    for (std::int64_t place = 0; place < windowTokens(); ++place) {
        const std::int64_t token = tokenAt(window, place);
        float* row = to.data + place * to.stride;
        if (token >= 0)
            std::copy_n(from.data + token * from.stride, from.cols, row);
        else if (padding)
            std::copy_n(padding, from.cols, row);
        else
            std::fill_n(row, from.cols, 0.0f);
    }
}

kernels::AttentionShape WindowAttention::shapeOf(std::int64_t window) const noexcept
{
    const bool lastRow = window / m_across == m_down - 1, lastColumn = window % m_across == m_across - 1;
    kernels::AttentionShape shape = m_shape;
    shape.bias = m_bias[m_shiftRows == 0 && m_shiftColumns == 0 ? 0 : (lastRow ? 2u : 0u) + (lastColumn ? 1u : 0u)].data();
    shape.biasHeadStride = windowTokens() * windowTokens();
    shape.biasRowStride = windowTokens();
    return shape;
}

void WindowAttention::apply(const AttentionInput& input, kernels::Rows out, Scratch& scratch) const
{
    if (input.keyBias)
        throw Error(ErrorCode::UnsupportedFeature, "found a bias for every key, expected none in attention within windows");
    Scratch::Frame frame(scratch);
    const std::int64_t tokens = windowTokens(), rows = windows() * tokens, width = input.q.cols;
    const kernels::Rows all[] = {frame.take(rows, width), frame.take(rows, width), frame.take(rows, width), frame.take(rows, width)};
    const auto task = [&](std::size_t index) {
        const auto window = static_cast<std::int64_t>(index);
        const auto part = [&](std::size_t i) { return kernels::Rows{all[i].data + window * tokens * width, tokens, width, width}; };
        gather(input.q, input.paddingQuery, window, part(0));
        gather(input.k, input.paddingKey, window, part(1));
        gather(input.v, input.paddingValue, window, part(2));
        kernels::softmaxAttention(shapeOf(window), part(0), part(1), part(2), part(3), false, scratch.context());
        for (std::int64_t place = 0; place < tokens; ++place)
            if (const std::int64_t token = tokenAt(window, place); token >= 0)
                std::copy_n(part(3).data + place * width, width, out.data + token * out.stride);
    };
    if (scratch.parallel())
        parallelFor(scratch.context(), static_cast<std::size_t>(windows()), task);
    else
        for (std::size_t i = 0; i < static_cast<std::size_t>(windows()); ++i)
            task(i);
}

tensor::Matrix<float> WindowAttention::map(const AttentionInput& input, std::int64_t head, std::int64_t window, const RunContext& context) const
{
    const std::int64_t tokens = windowTokens();
    tensor::Matrix<float> q(tokens, input.q.cols), k(tokens, input.k.cols), probabilities(tokens, tokens);
    gather(input.q, input.paddingQuery, window, q.view());
    gather(input.k, input.paddingKey, window, k.view());
    kernels::attentionProbabilities(shapeOf(window), q.view(), k.view(), head, probabilities.view(), context);
    return probabilities;
}
} // namespace

AttentionPtr windowAttention(const AttentionSpec& spec, std::int64_t gridHeight, std::int64_t gridWidth, tensor::MatrixView<const float> biasTable)
{
    return std::make_shared<WindowAttention>(spec, gridHeight, gridWidth, biasTable);
}

} // namespace tamis::nn
