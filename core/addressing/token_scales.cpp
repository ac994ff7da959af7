// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/token_scales.h"

#include "core/base/error.h"
#include "core/tensor/convert.h"

#include <algorithm>

namespace tamis::addressing {
namespace {
thread_local const TokenScales* t_scales = nullptr;

[[noreturn]] void invalid(const std::string& sentence, const std::string& subject) { throw Error(ErrorCode::InvalidParameter, sentence, subject); }

class ScaledByToken final : public nn::LinearOp {
public:
    ScaledByToken(nn::LinearPtr inner, std::int64_t layer) : LinearOp(inner->bias()), m_inner(std::move(inner)), m_layer(layer) {}
    std::string_view kind() const noexcept override { return "scaled-by-token"; }
    std::int64_t inFeatures() const noexcept override { return m_inner->inFeatures(); }
    std::int64_t outFeatures() const noexcept override { return m_inner->outFeatures(); }
    std::int64_t rank() const noexcept override { return m_inner->rank(); }
    nn::OperatorCost cost() const noexcept override
    {
        nn::OperatorCost cost = m_inner->cost();
        cost.macsPerToken += static_cast<std::uint64_t>(outFeatures());
        return cost;
    }
    void apply(kernels::ConstRows x, kernels::Epilogue epilogue, kernels::Rows y, nn::Scratch& scratch) const override
    {
        const TokenScales* const scales = t_scales;
        if (!scales)
            invalid("runs without the rows of its tokens, expected a ScaleScope around the model", "deep-embed");
        if (scales->tokens() != x.rows || scales->width() != outFeatures() || m_layer >= scales->layers())
            invalid("found rows of " + std::to_string(scales->layers()) + " layers, " + std::to_string(scales->tokens()) + " tokens and width " + std::to_string(scales->width()) + " for layer "
                        + std::to_string(m_layer) + " of " + std::to_string(x.rows) + " tokens and width " + std::to_string(outFeatures()), "deep-embed");
        if (epilogue.factor.data)
            invalid("the output is multiplied by another factor already", "deep-embed");
        nn::Scratch::Frame frame(scratch);
        const kernels::Rows factor = frame.take(x.rows, outFeatures());
        for (std::int64_t t = 0; t < x.rows; ++t)
            std::ranges::copy(scales->row(m_layer, t), factor.row(t).begin());
        epilogue.factor = factor;
        m_inner->apply(x, epilogue, y, scratch);
    }
    tensor::Matrix<float> dense() const override { return m_inner->dense(); }
    std::vector<nn::NamedTensor> tensors(const std::string& name) const override { return m_inner->tensors(name); }

private:
    nn::LinearPtr m_inner;
    std::int64_t m_layer;
};
} // namespace

std::vector<std::int32_t> TokenScales::distinct(std::span<const std::int32_t> tokens)
{
    std::vector<std::int32_t> all(tokens.begin(), tokens.end());
    std::ranges::sort(all);
    all.erase(std::ranges::unique(all).begin(), all.end());
    m_rowOf.reserve(tokens.size());
    for (const std::int32_t token : tokens)
        m_rowOf.push_back(static_cast<std::size_t>(std::ranges::lower_bound(all, token) - all.begin()));
    return all;
}

TokenScales::TokenScales(const EmbedTable& table, RowReader& reader, std::span<const std::int32_t> tokens) : m_layers(table.shape().layers), m_width(table.shape().width)
{
    const TableShape& shape = table.shape();
    std::vector<ByteRange> ranges;
    const std::vector<std::int32_t> all = distinct(tokens);
    for (const std::int32_t token : all) {
        if (token < 0 || token >= shape.tokens)
            invalid("found the token " + std::to_string(token) + ", the table has rows for 0 to " + std::to_string(shape.tokens - 1), table.path().string());
        table.appendRanges(token, ranges);
    }
    std::vector<std::byte> bytes(all.size() * static_cast<std::size_t>(shape.tokenBytes()));
    reader.read(ranges, bytes);
    m_values.resize(all.size() * static_cast<std::size_t>(m_layers * m_width));
    tensor::decode(shape.type, bytes, m_values);
    if (tensor::countNonFinite(m_values).total() > 0)
        throw Error(ErrorCode::NonFinite, "holds NaN or infinity in the rows of these tokens", table.path().string());
}

TokenScales::TokenScales(std::int64_t layers, std::int64_t width, std::span<const std::int32_t> tokens, const RowValues& values) : m_layers(layers), m_width(width)
{
    for (const std::int32_t token : distinct(tokens))
        for (std::int64_t layer = 0; layer < layers; ++layer) {
            const std::span<const float> row = values(layer, token);
            if (static_cast<std::int64_t>(row.size()) != width)
                invalid("found a row of " + std::to_string(row.size()) + " values, expected " + std::to_string(width), "deep-embed");
            m_values.insert(m_values.end(), row.begin(), row.end());
        }
}

std::span<const float> TokenScales::row(std::int64_t layer, std::int64_t position) const noexcept
{
    const std::size_t index = m_rowOf[static_cast<std::size_t>(position)] * static_cast<std::size_t>(m_layers) + static_cast<std::size_t>(layer);
    return {m_values.data() + index * static_cast<std::size_t>(m_width), static_cast<std::size_t>(m_width)};
}

ScaleScope::ScaleScope(const TokenScales& scales) noexcept : m_outer(t_scales) { t_scales = &scales; }
ScaleScope::~ScaleScope() { t_scales = m_outer; }

nn::LinearPtr scaledByToken(nn::LinearPtr inner, std::int64_t layer)
{
    if (!inner || layer < 0)
        invalid("found no operator or the layer " + std::to_string(layer) + ", expected both", "deep-embed");
    return std::make_shared<ScaledByToken>(std::move(inner), layer);
}

std::shared_ptr<const nn::Model> withDeepEmbed(const nn::Model& model)
{
    if (model.spec().vision())
        throw Error(ErrorCode::UnsupportedFeature, "reads images, expected a model that reads tokens", model.spec().architecture);
    std::vector<nn::Model::Replacement> replacements;
    for (std::size_t layer = 0; layer < model.blocks().size(); ++layer) {
        const nn::LinearSlot& down = model.blocks()[layer].down;
        if (!down)
            throw Error(ErrorCode::UnsupportedFeature, "block " + std::to_string(layer) + " has no feed-forward part", model.spec().architecture);
        replacements.push_back({down.name, scaledByToken(down.op, static_cast<std::int64_t>(layer))});
    }
    return model.replaced(replacements);
}

void requireTableFor(const nn::Model& model, const EmbedTable& table)
{
    const TableShape& shape = table.shape();
    const auto layers = static_cast<std::int64_t>(model.blocks().size()), width = model.blocks().front().spec.width, tokens = model.spec().text.vocabulary;
    if (shape.layers != layers || shape.width != width || shape.tokens < tokens)
        invalid("found a table of " + std::to_string(shape.layers) + " layers, " + std::to_string(shape.tokens) + " tokens and width " + std::to_string(shape.width) + ", expected " + std::to_string(layers) + ", at least "
                    + std::to_string(tokens) + " and " + std::to_string(width), table.path().string());
}

} // namespace tamis::addressing
