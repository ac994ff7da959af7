// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/nn/model_content.h"

#include "core/base/error.h"
#include "core/nn/relative_attention.h"
#include "core/nn/tensor_binding.h"

#include <algorithm>

namespace tamis::nn {

namespace {
using io::Role;
using tensor::Matrix;

Table shared(Matrix<float> matrix)
{
    return std::make_shared<const Matrix<float>>(std::move(matrix));
}

/// Rows [first, first + count) of a table.
Matrix<float> rowsOf(const Matrix<float>& table, std::int64_t first, std::int64_t count)
{
    Matrix<float> part(count, table.cols());
    std::copy_n(table.data() + first * table.cols(), count * table.cols(), part.data());
    return part;
}

void addTo(Matrix<float>& rows, std::int64_t row, const std::vector<float>& values)
{
    for (std::int64_t j = 0; j < rows.cols(); ++j)
        rows(row, j) += values[static_cast<std::size_t>(j)];
}
} // namespace

class ModelBuilder {
public:
    ModelBuilder(Architecture architecture, const TensorSource& source, const RunContext& context)
        : m_a(std::move(architecture)), m_bind(source, m_a.transposed), m_context(context), m_content(std::make_shared<Model::Content>())
    {
        m_content->spec = m_a.spec;
    }
    std::shared_ptr<Model::Content> build()
    {
        m_a.spec.vision() ? vision() : language();
        const double parts = static_cast<double>(m_a.spec.blocks.size());
        for (std::size_t i = 0; i < m_a.spec.blocks.size(); ++i) {
            m_context.throwIfStopped();
            m_content->blocks.push_back(block(static_cast<int>(i)));
            m_context.setFraction(static_cast<double>(i + 1) / parts);
        }
        ends();
        return m_content;
    }

private:
    void vision();
    void language();
    Block block(int index) const;
    void attentionOf(Block& b, const BlockNames& n, int index) const;
    AttentionPtr relative(const AttentionSpec& at, const BlockNames& n) const;
    void ends();
    LinearSlot tiedHead() const;

    Architecture m_a;
    TensorBinding m_bind;
    const RunContext& m_context;
    std::shared_ptr<Model::Content> m_content;
};

void ModelBuilder::vision()
{
    const PatchSpec& p = m_a.spec.patch;
    const ModelNames& n = m_a.names;
    const std::int64_t width = m_a.spec.width;
    m_content->patch = m_bind.linear(n.patch, Role::Patch, -1, width, p.channels * p.patchHeight * p.patchWidth);
    Matrix<float> prefix(p.prefixTokens, width);
    std::int64_t row = 0;
    if (p.classToken)
        addTo(prefix, row++, m_bind.vector(n.classToken, width));
    if (p.distillationToken)
        addTo(prefix, row++, m_bind.vector(n.distillationToken, width));
    if (p.registerTokens > 0) {
        const Matrix<float> registers = m_bind.table(n.registerTokens, p.registerTokens, width);
        std::copy_n(registers.data(), registers.size(), prefix.data() + row * width);
    }
    if (p.positions) {
        const std::int64_t before = p.positionsOnPrefix ? p.prefixTokens : 0;
        const Matrix<float> table = m_bind.table(n.positions, before + p.tableHeight * p.tableWidth, width);
        for (std::int64_t i = 0; i < before; ++i)
            addTo(prefix, i, {table.data() + i * width, table.data() + (i + 1) * width});
        Matrix<float> patches = rowsOf(table, before, p.tableHeight * p.tableWidth);
        if (p.tableHeight != p.gridHeight || p.tableWidth != p.gridWidth)
            patches = resamplePositions(patches, p.tableHeight, p.tableWidth, p.gridHeight, p.gridWidth, m_a.spec.family == io::Family::TimmVit);
        m_content->positions = shared(std::move(patches));
    }
    m_content->prefix = shared(std::move(prefix));
    if (const RopeSpec& rope = m_a.spec.blocks.front().attention.rope; rope.enabled) // all blocks turn alike
        m_content->patchRotary = std::make_shared<PatchRotary>(rope, p.prefixTokens, p.gridHeight, p.gridWidth);
}

void ModelBuilder::language()
{
    const TextSpec& t = m_a.spec.text;
    const ModelNames& n = m_a.names;
    const std::int64_t embedding = t.embeddingWidth > 0 ? t.embeddingWidth : m_a.spec.width;
    m_content->tokenEmbedding = shared(m_bind.table(n.tokenEmbedding, t.vocabulary, embedding));
    if (!n.projectIn.empty())
        m_content->projectIn = m_bind.linear(n.projectIn, Role::Other, -1, m_a.spec.width, embedding);
    if (t.learnedPositions)
        m_content->textPositions = shared(m_bind.table(n.positions, t.maxPositions + t.positionOffset, m_a.spec.width));
    if (t.tokenTypes > 0)
        m_content->tokenTypes = shared(m_bind.table(n.tokenTypes, t.tokenTypes, m_a.spec.width));
    for (const BlockSpec& block : m_a.spec.blocks)
        if (block.attention.rope.enabled) {
            m_content->rotary = std::make_shared<RotaryTable>(block.attention.rope);
            break;
        }
}

/// The table was made for the grid of the position table's image; for another it is resampled bilinearly, less the class token's three rows.
AttentionPtr ModelBuilder::relative(const AttentionSpec& at, const BlockNames& n) const
{
    const PatchSpec& p = m_a.spec.patch;
    const std::int64_t rows = 2 * p.tableHeight - 1, columns = 2 * p.tableWidth - 1;
    const Matrix<float> table = m_bind.table(n.biasTable, rows * columns + 3, at.heads);
    const std::uint64_t parameters = n.sharesBiasTable ? 0 : static_cast<std::uint64_t>(table.size());
    if (at.window == p.tableHeight && at.windowColumns() == p.tableWidth)
        return relativeAttention(at, table.view(), parameters);
    const std::int64_t newRows = 2 * at.window - 1, newColumns = 2 * at.windowColumns() - 1;
    const Matrix<float> resampled = resampleBilinear(rowsOf(table, 0, rows * columns), rows, columns, newRows, newColumns);
    Matrix<float> whole(newRows * newColumns + 3, at.heads);
    std::copy_n(resampled.data(), resampled.size(), whole.data());
    std::copy_n(table.data() + rows * columns * at.heads, 3 * at.heads, whole.data() + resampled.size());
    return relativeAttention(at, whole.view(), parameters);
}

void ModelBuilder::attentionOf(Block& b, const BlockNames& n, int index) const
{
    const AttentionSpec& at = b.spec.attention;
    const std::int64_t queries = at.heads * at.headDim, keys = at.keyValueHeads * at.headDim, width = b.spec.width;
    if (at.fusedQkv) {
        b.qkv = m_bind.linear(n.qkv, Role::QueryKeyValue, index, queries + 2 * keys, width);
    } else {
        b.query = m_bind.linear(n.query, Role::Query, index, queries, width);
        b.key = m_bind.linear(n.key, Role::Key, index, keys, width);
        b.value = m_bind.linear(n.value, Role::Value, index, keys, width);
    }
    b.output = m_bind.linear(n.output, Role::Output, index, width, queries);
    b.queryNorm = m_bind.norm(n.queryNorm, at.queryKeyNorm, at.headDim);
    b.keyNorm = m_bind.norm(n.keyNorm, at.queryKeyNorm, at.headDim);
    if (hasRelativeBias(b.spec)) {
        b.attention = relative(at, n);
    } else if (at.window > 0) {
        const std::int64_t places = (2 * at.window - 1) * (2 * at.windowColumns() - 1);
        b.attention = windowAttention(at, b.spec.gridHeight, b.spec.gridWidth, m_bind.table(n.biasTable, places, at.heads).view());
    } else {
        b.attention = exactAttention(at);
    }
}

Block ModelBuilder::block(int index) const
{
    const BlockNames& n = m_a.names.blocks[static_cast<std::size_t>(index)];
    Block b;
    b.spec = m_a.spec.blocks[static_cast<std::size_t>(index)];
    const std::int64_t width = b.spec.width, hidden = b.spec.mlp.hidden;
    b.attentionNorm = m_bind.norm(n.attentionNorm, b.spec.norm, width);
    attentionOf(b, n, index);
    if (b.spec.layerScale)
        b.attentionScale = m_bind.vector(n.attentionScale, width);
    if (hidden > 0) {
        b.mlpNorm = m_bind.norm(n.mlpNorm, b.spec.norm, width);
        b.up = m_bind.linear(n.up, Role::Up, index, hidden, width);
        if (b.spec.mlp.gated)
            b.gate = m_bind.linear(n.gate, Role::Gate, index, hidden, width);
        b.down = m_bind.linear(n.down, Role::Down, index, width, hidden);
        if (b.spec.layerScale)
            b.mlpScale = m_bind.vector(n.mlpScale, width);
    }
    if (b.spec.mergeAfter) {
        b.mergeNorm = m_bind.norm(n.mergeNorm, b.spec.norm, 4 * width);
        b.merge = m_bind.linear(n.merge, Role::Other, index, 2 * width, 4 * width);
    }
    return b;
}

LinearSlot ModelBuilder::tiedHead() const
{
    std::vector<float> bias;
    if (m_bind.has(m_a.names.headBias))
        bias = m_bind.vector(m_a.names.headBias, m_a.spec.text.vocabulary);
    return {m_a.names.head, Role::Head, -1, denseOp(m_content->tokenEmbedding->view(), std::move(bias))};
}

void ModelBuilder::ends()
{
    const ModelSpec& s = m_a.spec;
    const ModelNames& n = m_a.names;
    Model::Content& c = *m_content;
    const std::int64_t last = s.blocks.back().width;
    c.preNorm = m_bind.norm(n.preNorm, s.preNorm, s.width);
    c.finalNorm = m_bind.norm(n.finalNorm, s.finalNorm, last);
    std::int64_t features = s.pool == Pool::ClassAndMean ? 2 * last : last;
    if (!n.transform.empty()) {
        const std::int64_t out = s.text.embeddingWidth > 0 ? s.text.embeddingWidth : features;
        c.transform = m_bind.linear(n.transform, Role::Other, -1, out, features);
        c.transformActivation = m_a.transformActivation;
        features = out;
    }
    c.poolNorm = m_bind.norm(n.poolNorm, s.poolNorm, features);
    if (s.classes > 0 && s.text.tiedHead)
        c.head = tiedHead();
    else if (s.classes > 0)
        c.head = m_bind.linear(n.head, Role::Head, -1, s.classes, features);
    if (s.distillationHead)
        c.secondHead = m_bind.linear(n.secondHead, Role::Head, -1, s.classes, features);
}

std::shared_ptr<Model::Content> buildContent(Architecture architecture, const TensorSource& source, const RunContext& context)
{
    return ModelBuilder(std::move(architecture), source, context).build();
}

std::vector<LinearSlot*> Model::Content::slots()
{
    std::vector<LinearSlot*> all;
    const auto push = [&](LinearSlot& slot) {
        if (slot)
            all.push_back(&slot);
    };
    push(patch);
    push(projectIn);
    for (Block& b : blocks)
        for (LinearSlot* slot : {&b.qkv, &b.query, &b.key, &b.value, &b.output, &b.gate, &b.up, &b.down, &b.merge})
            push(*slot);
    push(transform);
    push(head);
    push(secondHead);
    return all;
}

} // namespace tamis::nn
