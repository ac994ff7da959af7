// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/token_model.h"

#include "core/base/error.h"
#include "core/kernels/attention_kernel.h"

#include <algorithm>
#include <numeric>
#include <string>

namespace tamis::reuse {

using kernels::ConstRows;
using kernels::Rows;

namespace {
double macsOf(const nn::LinearSlot& slot) noexcept { return slot ? static_cast<double>(slot.op->cost().macsPerToken) : 0; }

void requireBlock(const nn::Block& block, int index)
{
    const nn::AttentionSpec& at = block.spec.attention;
    const std::string subject = "block " + std::to_string(index);
    if (at.rope.enabled)
        throw Error(ErrorCode::UnsupportedFeature, "found rotary positions, expected positions that are added to patches: features are reused where keys do not turn with their place", subject);
    if (block.spec.postNorm)
        throw Error(ErrorCode::UnsupportedFeature, "found norms behind the branches, expected them before: features are reused in pre-norm vision transformers", subject);
    if (at.causal || at.window > 0 || block.attention->kind() != "exact")
        throw Error(ErrorCode::UnsupportedFeature, "found attention of the kind '" + std::string(block.attention->kind()) + "', expected exact attention over all tokens", subject);
}

void normHeads(const nn::Norm& norm, Rows x, std::int64_t headDim)
{
    if (!norm.present())
        return;
    for (std::int64_t i = 0; i < x.rows; ++i) {
        const Rows heads{x.data + i * x.stride, x.cols / headDim, headDim, headDim};
        norm.apply(heads, heads);
    }
}

std::shared_ptr<const nn::Model> requireVision(std::shared_ptr<const nn::Model> model)
{
    if (!model->spec().vision())
        throw Error(ErrorCode::UnsupportedFeature, "found a model that reads text, expected a vision transformer", model->spec().architecture);
    return model;
}

const float* scaleOf(const std::vector<float>& scale) noexcept { return scale.empty() ? nullptr : scale.data(); }
} // namespace

double projectionMacs(const nn::Block& block) noexcept { return macsOf(block.qkv) + macsOf(block.query) + macsOf(block.key) + macsOf(block.value); }
double outputMacs(const nn::Block& block) noexcept { return macsOf(block.output); }
double mlpMacs(const nn::Block& block) noexcept { return macsOf(block.up) + macsOf(block.gate) + macsOf(block.down); }

void gatherRows(ConstRows from, std::span<const std::int32_t> rows, Rows to)
{
    for (std::size_t i = 0; i < rows.size(); ++i)
        std::copy_n(from.data + rows[i] * from.stride, to.cols, to.data + static_cast<std::int64_t>(i) * to.stride);
}

void scatterRows(ConstRows from, std::span<const std::int32_t> rows, Rows to)
{
    for (std::size_t i = 0; i < rows.size(); ++i)
        std::copy_n(from.data + static_cast<std::int64_t>(i) * from.stride, from.cols, to.data + rows[i] * to.stride);
}

std::vector<std::int32_t> withPrefix(std::int64_t prefix, std::span<const std::int32_t> patches)
{
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(prefix));
    std::iota(tokens.begin(), tokens.end(), 0);
    for (const std::int32_t patch : patches)
        tokens.push_back(patch + static_cast<std::int32_t>(prefix));
    return tokens;
}

TokenModel::TokenModel(std::shared_ptr<const nn::Model> model, Runs runs) : m_model(requireVision(std::move(model))), m_runs(runs), m_embedding(m_model) // which refuses windows and relative biases
{
    const nn::ModelSpec& spec = m_model->spec();
    for (std::size_t i = 0; i < m_model->blocks().size(); ++i)
        requireBlock(m_model->blocks()[i], static_cast<int>(i));
    if (spec.pool == nn::Pool::None)
        throw Error(ErrorCode::UnsupportedFeature, "found a model that gives a row for every token, expected one that pools them", spec.architecture);
    m_prefix = spec.patch.prefixTokens;
    m_gridRows = spec.patch.gridHeight;
    m_gridColumns = spec.patch.gridWidth;
    m_width = spec.width;
    m_patchMacs = static_cast<double>(m_embedding.macsPerPatch());
    for (const nn::Block& block : m_model->blocks()) {
        m_rowMacs += projectionMacs(block) + outputMacs(block) + mlpMacs(block);
        m_pairMacs += 2 * static_cast<double>(block.spec.attention.heads * block.spec.attention.headDim);
    }
    m_headMacs = macsOf(m_model->head()) * (spec.distillationHead ? 2 : 1);
}

double TokenModel::wholeMacs() const noexcept { return embeddingMacs() + rowsMacs(static_cast<double>(tokens()), static_cast<double>(tokens())) + m_headMacs; }

double TokenModel::stateFloats() const noexcept
{
    double floats = static_cast<double>(m_width);
    for (const nn::Block& block : m_model->blocks())
        floats += 2 * static_cast<double>(block.spec.attention.keyValueHeads * block.spec.attention.headDim);
    return floats;
}

TokenState TokenModel::emptyState(std::int64_t count) const
{
    TokenState state;
    if (m_runs == Runs::EmbeddingAlone) {
        state.hidden = tensor::Matrix<float>(count, 1);
        return state;
    }
    for (const nn::Block& block : m_model->blocks()) {
        const std::int64_t keys = block.spec.attention.keyValueHeads * block.spec.attention.headDim;
        state.keys.emplace_back(count, keys);
        state.values.emplace_back(count, keys);
    }
    state.hidden = tensor::Matrix<float>(count, m_width);
    return state;
}

void TokenModel::embed(std::span<const float> image, Rows x, nn::Scratch& scratch) const
{
    const nn::Sample sample{image, {}, {}};
    m_model->check(sample);
    m_model->embed(sample, x, scratch);
}

void TokenModel::embedSome(std::span<const float> image, std::span<const std::int32_t> chosen, Rows x, nn::Scratch& scratch) const
{
    const nn::PatchSpec& p = m_model->spec().patch;
    m_model->check({image, {}, {}});
    nn::Scratch::Frame frame(scratch);
    const auto count = static_cast<std::int64_t>(chosen.size());
    const Rows cut = frame.take(count, m_embedding.values()), places = frame.take(count, m_width);
    for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t top = chosen[static_cast<std::size_t>(i)] / m_gridColumns * p.patchHeight, left = chosen[static_cast<std::size_t>(i)] % m_gridColumns * p.patchWidth;
        float* to = cut.data + i * cut.stride;
        for (std::int64_t c = 0; c < p.channels; ++c)
            for (std::int64_t y = 0; y < p.patchHeight; ++y, to += p.patchWidth)
                std::copy_n(image.data() + (c * p.imageHeight + top + y) * p.imageWidth + left, p.patchWidth, to);
    }
    const ConstRows positions = m_embedding.positions();
    if (positions.data)
        gatherRows(positions, chosen, places);
    m_embedding.embed(cut, positions.data ? ConstRows(places) : ConstRows{}, x, scratch);
}

void TokenModel::project(const nn::Block& block, ConstRows normed, Rows qkv, nn::Scratch& scratch) const
{
    const nn::AttentionSpec& at = block.spec.attention;
    const std::int64_t queries = at.heads * at.headDim, keys = at.keyValueHeads * at.headDim;
    const Rows q{qkv.data, qkv.rows, queries, qkv.stride}, k{qkv.data + queries, qkv.rows, keys, qkv.stride}, v{qkv.data + queries + keys, qkv.rows, keys, qkv.stride};
    if (block.qkv) {
        block.qkv.op->apply(normed, {}, qkv, scratch);
    } else {
        block.query.op->apply(normed, {}, q, scratch);
        block.key.op->apply(normed, {}, k, scratch);
        block.value.op->apply(normed, {}, v, scratch);
    }
    normHeads(block.queryNorm, q, at.headDim);
    normHeads(block.keyNorm, k, at.headDim);
}

void TokenModel::projectOut(const nn::Block& block, ConstRows mixed, ConstRows base, Rows out, nn::Scratch& scratch) const
{
    block.output.op->apply(mixed, {.scale = scaleOf(block.attentionScale), .base = base}, out, scratch);
}

void TokenModel::mlp(const nn::Block& block, ConstRows x, ConstRows base, Rows out, nn::Scratch& scratch) const
{
    if (!block.up) {
        for (std::int64_t i = 0; i < out.rows; ++i)
            if (base.data)
                std::copy_n(base.data + i * base.stride, out.cols, out.data + i * out.stride);
            else
                std::fill_n(out.data + i * out.stride, out.cols, 0.0f);
        return;
    }
    nn::Scratch::Frame frame(scratch);
    const Rows normed = frame.take(x.rows, x.cols), hidden = frame.take(x.rows, block.spec.mlp.hidden);
    block.mlpNorm.apply(x, normed);
    if (block.gate) {
        const Rows gate = frame.take(x.rows, block.spec.mlp.hidden);
        block.gate.op->apply(normed, {.activation = block.spec.mlp.activation}, gate, scratch);
        block.up.op->apply(normed, {.factor = gate}, hidden, scratch);
    } else {
        block.up.op->apply(normed, {.activation = block.spec.mlp.activation}, hidden, scratch);
    }
    block.down.op->apply(hidden, {.scale = scaleOf(block.mlpScale), .base = base}, out, scratch);
}

void TokenModel::runRows(Rows x, std::span<const std::int32_t> rows, TokenState& state, nn::Scratch& scratch) const
{
    if (m_runs == Runs::EmbeddingAlone)
        return;
    for (std::size_t i = 0; i < m_model->blocks().size(); ++i) {
        scratch.context().throwIfStopped();
        const nn::Block& block = m_model->blocks()[i];
        const nn::AttentionSpec& at = block.spec.attention;
        const std::int64_t queries = at.heads * at.headDim, keys = at.keyValueHeads * at.headDim;
        nn::Scratch::Frame frame(scratch);
        const Rows normed = frame.take(x.rows, x.cols), qkv = frame.take(x.rows, queries + 2 * keys), mixed = frame.take(x.rows, queries);
        block.attentionNorm.apply(x, normed);
        project(block, normed, qkv, scratch);
        scatterRows({qkv.data + queries, x.rows, keys, qkv.stride}, rows, state.keys[i].view());
        scatterRows({qkv.data + queries + keys, x.rows, keys, qkv.stride}, rows, state.values[i].view());
        const kernels::AttentionShape shape{at.heads, at.keyValueHeads, at.headDim, at.scale};
        kernels::softmaxAttention(shape, {qkv.data, x.rows, queries, qkv.stride}, state.keys[i].view(), state.values[i].view(), mixed, scratch.parallel(), scratch.context());
        projectOut(block, mixed, x, x, scratch);
        scratch.context().throwIfStopped();
        if (block.up)
            mlp(block, x, x, x, scratch);
    }
    scatterRows(x, rows, state.hidden.view());
}

void TokenModel::answer(ConstRows hidden, Answer& answer, nn::Scratch& scratch, std::span<const float> weights) const
{
    if (m_runs == Runs::EmbeddingAlone)
        return;
    nn::Scratch::Frame frame(scratch);
    const std::int64_t used = m_model->spec().pool == nn::Pool::ClassToken ? std::max<std::int64_t>(m_prefix, 1) : hidden.rows;
    const Rows x = frame.take(used, m_width);
    for (std::int64_t i = 0; i < used; ++i)
        std::copy_n(hidden.data + i * hidden.stride, m_width, x.data + i * x.stride);
    answer.output.resize(static_cast<std::size_t>(m_model->outputWidth()));
    m_model->runTail(x, used == hidden.rows ? weights : std::span<const float>{}, {answer.output.data(), 1, m_model->outputWidth(), m_model->outputWidth()}, scratch, 0, nullptr, &answer.pooled);
}

} // namespace tamis::reuse
