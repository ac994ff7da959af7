// SPDX-License-Identifier: GPL-3.0-or-later
// The forward pass: embedding, blocks, head. Intermediate activations live in Scratch frames.
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/kernels/elementwise.h"
#include "core/nn/branches.h"
#include "core/nn/model_content.h"
#include "core/nn/patch_embedding.h"
#include "core/nn/relative_attention.h"
#include "core/nn/token_hook.h"

#include <algorithm>
#include <mutex>

namespace tamis::nn {

using kernels::ConstRows;
using kernels::Rows;

void Observer::linearInput(std::size_t, const LinearSlot&, ConstRows) {}
void Observer::attentionInput(std::size_t, int, const Block&, const AttentionInput&) {}
void Observer::blockOutput(std::size_t, int, ConstRows) {}
void Observer::finalHidden(std::size_t, ConstRows) {}

void Norm::apply(ConstRows x, Rows y) const
{
    if (present() && (static_cast<std::int64_t>(weight.size()) != x.cols || y.cols != x.cols || y.rows != x.rows))
        throw Error(ErrorCode::InvalidParameter, "a norm of " + std::to_string(weight.size()) + " features does not fit rows of " + std::to_string(x.cols));
    if (spec.kind == NormKind::LayerNorm)
        kernels::layerNorm(x, weight.data(), bias.empty() ? nullptr : bias.data(), spec.epsilon, y);
    else if (spec.kind == NormKind::RmsNorm)
        kernels::rmsNorm(x, weight.data(), spec.epsilon, y);
    else if (x.data != y.data)
        for (std::int64_t i = 0; i < x.rows; ++i)
            std::copy_n(x.data + i * x.stride, x.cols, y.data + i * y.stride);
}

namespace {
/// One pass of one sample.
struct Pass {
    Scratch& scratch;
    std::size_t sample;
    Observer* observer;
    const RotaryTable* rotary = nullptr;      ///< of text; null: none
    const PatchRotary* patchRotary = nullptr; ///< of patches; null: none
    TokenHook* hook = nullptr;
    std::span<const std::int32_t> heldBy{};   ///< as the hook says for the block
    const PatchTurns* turns = nullptr;        ///< the same, instead
    const float* scale = nullptr; ///< [width] instead of the block's LayerScale; null: that

    const float* scaleOr(const std::vector<float>& own) const { return scale ? scale : own.empty() ? nullptr : own.data(); }
    void apply(const LinearSlot& slot, ConstRows x, const kernels::Epilogue& epilogue, Rows y) const
    {
        if (observer)
            observer->linearInput(sample, slot, x);
        slot.op->apply(x, epilogue, y, scratch);
    }
};

void copyRows(ConstRows from, Rows to)
{
    for (std::int64_t i = 0; i < from.rows; ++i)
        std::copy_n(from.data + i * from.stride, from.cols, to.data + i * to.stride);
}

Rows columns(Rows x, std::int64_t first, std::int64_t count)
{
    return {x.data + first, x.rows, count, x.stride};
}

/// A norm over each head's features, heads side by side in a row.
void normHeads(const Norm& norm, Rows x, std::int64_t headDim)
{
    if (!norm.present())
        return;
    for (std::int64_t i = 0; i < x.rows; ++i) {
        const Rows heads{x.data + i * x.stride, x.cols / headDim, headDim, headDim};
        norm.apply(heads, heads);
    }
}

std::int64_t rowsLeft(std::int64_t rows, std::int64_t before)
{
    if (rows < 1 || rows > before)
        throw Error(ErrorCode::InvalidParameter, "found a reduction of " + std::to_string(before) + " tokens to " + std::to_string(rows) + ", expected 1 to as many as there were");
    return rows;
}

void applyRotary(const AttentionSpec& at, Rows q, Rows k, const Pass& pass)
{
    if (pass.rotary) {
        pass.rotary->apply(q, at.heads, at.headDim);
        pass.rotary->apply(k, at.keyValueHeads, at.headDim);
    } else if (pass.patchRotary) {
        const PatchTurns moved = pass.turns || pass.heldBy.empty() ? PatchTurns{} : pass.patchRotary->of(pass.heldBy, q.rows);
        const PatchTurns& turns = pass.turns ? *pass.turns : pass.heldBy.empty() ? pass.patchRotary->own() : moved;
        turn(turns, q, at.heads, at.headDim);
        turn(turns, k, at.keyValueHeads, at.headDim);
    }
}

/// out = base + scale * attention(x). Returns the rows of out that a hook leaves.
std::int64_t runAttention(const Block& b, int index, ConstRows x, ConstRows base, Rows out, const Pass& pass)
{
    Scratch::Frame frame(pass.scratch);
    const AttentionSpec& at = b.spec.attention;
    const std::int64_t queries = at.heads * at.headDim, keys = at.keyValueHeads * at.headDim;
    const Rows qkv = frame.take(x.rows, queries + 2 * keys);
    const Rows q = columns(qkv, 0, queries), k = columns(qkv, queries, keys), v = columns(qkv, queries + keys, keys);
    AttentionInput input{.q = q, .k = k, .v = v, .x = x};
    if (b.qkv) {
        pass.apply(b.qkv, x, {}, qkv);
        if (!b.qkv.op->bias().empty()) {
            input.paddingQuery = b.qkv.op->bias().data();
            input.paddingKey = input.paddingQuery + queries;
            input.paddingValue = input.paddingKey + keys;
        }
    } else {
        pass.apply(b.query, x, {}, q);
        pass.apply(b.key, x, {}, k);
        pass.apply(b.value, x, {}, v);
        const auto biasOf = [](const LinearSlot& slot) { return slot.op->bias().empty() ? nullptr : slot.op->bias().data(); };
        input.paddingQuery = biasOf(b.query);
        input.paddingKey = biasOf(b.key);
        input.paddingValue = biasOf(b.value);
    }
    normHeads(b.queryNorm, q, at.headDim);
    normHeads(b.keyNorm, k, at.headDim);
    if (at.rope.enabled)
        applyRotary(at, q, k, pass);
    const Rows mixed = frame.take(x.rows, queries);
    if (pass.hook)
        input.keyBias = pass.hook->keyBias(index, x.rows);
    if (pass.observer)
        pass.observer->attentionInput(pass.sample, index, b, input);
    b.attention->apply(input, mixed, pass.scratch);
    pass.apply(b.output, mixed, {.scale = pass.scaleOr(b.attentionScale), .base = base}, out);
    return pass.hook ? rowsLeft(pass.hook->betweenBranches(index, b, input, out, pass.scratch), out.rows) : out.rows;
}

/// out = base + scale * mlp(x)
void runMlp(const Block& b, ConstRows x, ConstRows base, Rows out, const Pass& pass)
{
    Scratch::Frame frame(pass.scratch);
    const Rows hidden = frame.take(x.rows, b.spec.mlp.hidden);
    if (b.gate) {
        const Rows gate = frame.take(x.rows, b.spec.mlp.hidden);
        pass.apply(b.gate, x, {.activation = b.spec.mlp.activation}, gate);
        pass.apply(b.up, x, {.factor = gate}, hidden);
    } else {
        pass.apply(b.up, x, {.activation = b.spec.mlp.activation}, hidden);
    }
    pass.apply(b.down, hidden, {.scale = pass.scaleOr(b.mlpScale), .base = base}, out);
}

/// In place; returns the rows left.
std::int64_t runPreNormBlock(const Block& b, int index, Rows x, const Pass& pass)
{
    Scratch::Frame frame(pass.scratch);
    Rows normed = frame.take(x.rows, x.cols);
    b.attentionNorm.apply(x, normed);
    x.rows = runAttention(b, index, normed, x, x, pass);
    normed.rows = x.rows;
    pass.scratch.context().throwIfStopped();
    if (b.up) {
        b.mlpNorm.apply(x, normed);
        runMlp(b, normed, x, x, pass);
    }
    return x.rows;
}

/// 2 x 2 neighbours side by side (top left, bottom left, top right, bottom right), zeros beyond an odd border.
void mergePatches(const Block& b, ConstRows x, Rows out, const Pass& pass)
{
    Scratch::Frame frame(pass.scratch);
    const std::int64_t height = b.spec.gridHeight, width = b.spec.gridWidth, features = b.spec.width;
    const Rows gathered = frame.take(out.rows, 4 * features);
    for (std::int64_t y = 0; y < (height + 1) / 2; ++y)
        for (std::int64_t column = 0; column < (width + 1) / 2; ++column)
            for (std::int64_t part = 0; part < 4; ++part) {
                const std::int64_t fromY = 2 * y + part % 2, fromX = 2 * column + part / 2;
                float* to = gathered.data + (y * ((width + 1) / 2) + column) * gathered.stride + part * features;
                if (fromY < height && fromX < width)
                    std::copy_n(x.data + (fromY * width + fromX) * x.stride, features, to);
                else
                    std::fill_n(to, features, 0.0f);
            }
    b.mergeNorm.apply(gathered, gathered);
    pass.apply(b.merge, gathered, {}, out);
}

void embedTokens(const Model::Content& c, const Sample& sample, Rows rows)
{
    const tensor::Matrix<float>& table = *c.tokenEmbedding;
    for (std::int64_t t = 0; t < rows.rows; ++t)
        std::copy_n(table.data() + sample.tokens[static_cast<std::size_t>(t)] * table.cols(), table.cols(), rows.data + t * rows.stride);
}

/// Learned positions and token types. RoBERTa counts only tokens that are not padding.
void addPositions(const Model::Content& c, const Sample& sample, Rows x)
{
    const TextSpec& text = c.spec.text;
    const std::int64_t padding = c.spec.family == io::Family::Bert && text.positionOffset > 0 ? text.positionOffset - 1 : -1;
    std::int64_t counted = 0;
    for (std::int64_t t = 0; t < x.rows; ++t) {
        const bool isPadding = sample.tokens[static_cast<std::size_t>(t)] == padding;
        if (c.textPositions) {
            const std::int64_t position = isPadding ? padding : text.positionOffset + (padding >= 0 ? counted : t);
            kernels::add({c.textPositions->data() + position * x.cols, static_cast<std::size_t>(x.cols)}, x.row(t));
        }
        counted += isPadding ? 0 : 1;
        if (c.tokenTypes) {
            const std::int64_t type = sample.tokenTypes.empty() ? 0 : sample.tokenTypes[static_cast<std::size_t>(t)];
            kernels::add({c.tokenTypes->data() + type * x.cols, static_cast<std::size_t>(x.cols)}, x.row(t));
        }
    }
}

/// `weights` of the mean, [hidden.rows]; empty: all patches alike.
void pool(const Model::Content& c, ConstRows hidden, std::span<const float> weights, Rows pooled)
{
    const std::int64_t width = hidden.cols, first = c.spec.patch.prefixTokens;
    float* out = pooled.data;
    if (c.spec.pool != Pool::Mean) {
        std::copy_n(hidden.data, width, out);
        out += width;
    }
    if (c.spec.pool == Pool::ClassToken)
        return;
    std::fill_n(out, width, 0.0f);
    if (!weights.empty()) {
        float sum = 0;
        for (std::int64_t t = first; t < hidden.rows; ++t) {
            const float weight = weights[static_cast<std::size_t>(t)];
            sum += weight;
            for (std::int64_t j = 0; j < width; ++j)
                out[j] += weight * hidden(t, j);
        }
        for (std::int64_t j = 0; j < width; ++j)
            out[j] /= sum;
        return;
    }
    for (std::int64_t t = first; t < hidden.rows; ++t)
        kernels::add({hidden.data + t * hidden.stride, static_cast<std::size_t>(width)}, {out, static_cast<std::size_t>(width)});
    for (std::int64_t j = 0; j < width; ++j)
        out[j] /= static_cast<float>(hidden.rows - first);
}
} // namespace

void Model::embed(const Sample& sample, Rows x, Scratch& scratch) const
{
    Scratch::Frame frame(scratch);
    const Content& c = *m_content;
    const Pass pass{scratch, 0, nullptr};
    if (c.spec.vision()) {
        const PatchSpec& p = c.spec.patch;
        const Rows patches = frame.take(p.gridHeight * p.gridWidth, p.channels * p.patchHeight * p.patchWidth);
        cutPatches(p, sample.image, p.imageHeight, p.imageWidth, patches);
        copyRows(c.prefix->view(), {x.data, p.prefixTokens, x.cols, x.stride});
        kernels::Epilogue epilogue;
        if (c.positions)
            epilogue.base = c.positions->view();
        pass.apply(c.patch, patches, epilogue, {x.data + p.prefixTokens * x.stride, patches.rows, x.cols, x.stride});
    } else if (c.projectIn) {
        const Rows narrow = frame.take(x.rows, c.tokenEmbedding->cols());
        embedTokens(c, sample, narrow);
        pass.apply(c.projectIn, narrow, {}, x);
        addPositions(c, sample, x);
    } else {
        embedTokens(c, sample, x);
        addPositions(c, sample, x);
    }
    if (c.preNorm.present())
        c.preNorm.apply(x, x);
}

void Model::runBlock(int index, Rows x, Scratch& scratch, std::size_t sample, Observer* observer) const
{
    const Block& b = m_content->blocks[static_cast<std::size_t>(index)];
    const Pass pass{scratch, sample, observer, m_content->rotary.get(), m_content->patchRotary.get()};
    scratch.context().throwIfStopped();
    if (!b.spec.postNorm) {
        runPreNormBlock(b, index, x, pass);
    } else {
        runAttention(b, index, x, x, x, pass);
        b.attentionNorm.apply(x, x);
        scratch.context().throwIfStopped();
        if (b.up) {
            runMlp(b, x, x, x, pass);
            b.mlpNorm.apply(x, x);
        }
    }
    if (observer)
        observer->blockOutput(sample, index, x);
}

namespace {
/// A pass with the factor in the place of LayerScale, or with that alone where the factor is 1: the same bits. `taken` holds it.
Pass scaledPass(const Block& b, const std::vector<float>& own, float factor, Scratch::Frame& taken, Scratch& scratch)
{
    if (b.spec.postNorm || b.spec.gridHeight > 0 || b.spec.attention.rope.enabled)
        throw Error(ErrorCode::UnsupportedFeature, "branches are run by themselves in blocks that norm before them, see all tokens and have no rotary positions only", b.output.name);
    scratch.context().throwIfStopped();
    Pass pass{scratch, 0, nullptr};
    if (factor == 1)
        return pass;
    const Rows scale = taken.take(1, b.spec.width);
    for (std::int64_t j = 0; j < b.spec.width; ++j)
        scale.data[j] = own.empty() ? factor : factor * own[static_cast<std::size_t>(j)];
    pass.scale = scale.data;
    return pass;
}
} // namespace

void runAttentionBranch(const Block& block, Rows x, Scratch& scratch, float factor)
{
    Scratch::Frame frame(scratch);
    const Pass pass = scaledPass(block, block.attentionScale, factor, frame, scratch);
    const Rows normed = frame.take(x.rows, x.cols);
    block.attentionNorm.apply(x, normed);
    runAttention(block, 0, normed, x, x, pass);
}

void runMlpBranch(const Block& block, Rows x, Scratch& scratch, float factor)
{
    if (!block.up)
        return;
    Scratch::Frame frame(scratch);
    const Pass pass = scaledPass(block, block.mlpScale, factor, frame, scratch);
    const Rows normed = frame.take(x.rows, x.cols);
    block.mlpNorm.apply(x, normed);
    runMlp(block, normed, x, x, pass);
}

std::int64_t Model::runBlock(int index, Rows x, Scratch& scratch, TokenHook& hook, std::size_t sample, Observer* observer) const
{
    const Block& b = m_content->blocks[static_cast<std::size_t>(index)];
    if (b.spec.postNorm || b.spec.gridHeight > 0 || (b.spec.attention.rope.enabled && m_content->rotary))
        throw Error(ErrorCode::UnsupportedFeature, "tokens are changed inside blocks that norm before their branches, see all tokens and have no rotary positions of text only",
                    "block " + std::to_string(index));
    Pass pass{scratch, sample, observer, nullptr, m_content->patchRotary.get(), &hook};
    scratch.context().throwIfStopped();
    x.rows = rowsLeft(hook.beforeBlock(index, b, x, scratch), x.rows);
    pass.heldBy = hook.heldBy(index, x.rows);
    pass.turns = hook.turns(index, x.rows);
    if (AttentionPtr moved = pass.heldBy.empty() ? nullptr : relativeOver(*b.attention, pass.heldBy, x.rows)) {
        Block own = b; // as these tokens see it
        own.attention = std::move(moved);
        x.rows = runPreNormBlock(own, index, x, pass);
    } else {
        x.rows = runPreNormBlock(b, index, x, pass);
    }
    if (observer)
        observer->blockOutput(sample, index, x);
    return x.rows;
}

void Model::runHidden(const Sample& sample, Rows hidden, Scratch& scratch, std::size_t index, Observer* observer) const
{
    check(sample);
    const Content& c = *m_content;
    Scratch::Frame frame(scratch);
    const Pass pass{scratch, index, observer};
    const std::int64_t tokens = embeddedTokens(sample);
    const Rows buffer = frame.take(tokens, c.spec.width); // Swin: tokens x width shrink from merge to merge
    Rows x = buffer;
    embed(sample, x, scratch);
    for (std::size_t i = 0; i < c.blocks.size(); ++i) {
        const Block& b = c.blocks[i];
        runBlock(static_cast<int>(i), x, scratch, index, observer);
        if (b.merge) {
            const std::int64_t rows = ((b.spec.gridHeight + 1) / 2) * ((b.spec.gridWidth + 1) / 2);
            const Rows merged = frame.take(rows, 2 * b.spec.width);
            mergePatches(b, x, merged, pass);
            x = merged;
        }
    }
    c.finalNorm.apply(x, hidden);
    if (observer)
        observer->finalHidden(index, hidden);
}

std::int64_t Model::hiddenTokens(const Sample& sample) const
{
    const BlockSpec& last = m_content->spec.blocks.back();
    return last.gridHeight > 0 ? last.gridHeight * last.gridWidth : embeddedTokens(sample);
}

void Model::run(const Sample& sample, Rows output, Scratch& scratch, std::size_t index, Observer* observer) const
{
    Scratch::Frame frame(scratch);
    const Rows hidden = frame.take(hiddenTokens(sample), m_content->spec.blocks.back().width);
    runHidden(sample, hidden, scratch, index, observer);
    poolAndHead(hidden, {}, output, scratch, index, observer, nullptr);
}

void Model::runTail(Rows x, std::span<const float> weights, Rows output, Scratch& scratch, std::size_t index, Observer* observer, std::vector<float>* pooled) const
{
    if (!weights.empty() && static_cast<std::int64_t>(weights.size()) != x.rows)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(weights.size()) + " weights of the mean over tokens, expected one for each of " + std::to_string(x.rows));
    if (x.rows < 1)
        throw Error(ErrorCode::InvalidParameter, "found no token left, expected one at least");
    if (x.rows <= m_content->spec.patch.prefixTokens && (m_content->spec.pool == Pool::Mean || m_content->spec.pool == Pool::ClassAndMean))
        throw Error(ErrorCode::InvalidParameter, "found no patch left, expected one at least in a model that takes their mean");
    m_content->finalNorm.apply(x, x);
    if (observer)
        observer->finalHidden(index, x);
    poolAndHead(x, weights, output, scratch, index, observer, pooled);
}

void Model::poolAndHead(ConstRows hidden, std::span<const float> weights, Rows output, Scratch& scratch, std::size_t index, Observer* observer,
                        std::vector<float>* pooled) const
{
    const Content& c = *m_content;
    Scratch::Frame frame(scratch);
    const std::int64_t width = hidden.cols;
    ConstRows features = hidden;
    if (c.secondHead) {
        features.rows = 2; // class and distillation token
    } else if (c.spec.pool != Pool::None) {
        const Rows row = frame.take(1, c.spec.pool == Pool::ClassAndMean ? 2 * width : width);
        pool(c, hidden, weights, row);
        features = row;
    }
    if (pooled) {
        pooled->clear();
        for (std::int64_t i = 0; i < features.rows; ++i)
            pooled->insert(pooled->end(), features.row(i).begin(), features.row(i).end());
    }
    runHead(features, output, scratch, index, observer);
}

void Model::runHead(ConstRows features, Rows output, Scratch& scratch, std::size_t index, Observer* observer) const
{
    const Content& c = *m_content;
    Scratch::Frame frame(scratch);
    const Pass pass{scratch, index, observer};
    if (c.transform) {
        const Rows transformed = frame.take(features.rows, c.transform.op->outFeatures());
        pass.apply(c.transform, features, {.activation = c.transformActivation}, transformed);
        features = transformed;
    }
    if (c.poolNorm.present()) {
        const Rows normed = frame.take(features.rows, features.cols);
        c.poolNorm.apply(features, normed);
        features = normed;
    }
    if (!c.head)
        return copyRows(features, output);
    if (!c.secondHead) {
        pass.apply(c.head, features, {}, output);
        return;
    }
    // distilled DeiT: the mean of the class token's head and the distillation token's
    const Rows second = frame.take(1, output.cols);
    pass.apply(c.head, {features.data, 1, features.cols, features.stride}, {}, output);
    pass.apply(c.secondHead, {features.data + features.stride, 1, features.cols, features.stride}, {}, second);
    for (std::int64_t j = 0; j < output.cols; ++j)
        output(0, j) = 0.5f * (output(0, j) + second(0, j));
}

struct ForwardPass::Workers {
    const Model& model;
    std::vector<tensor::Matrix<float>> outputs;
    std::unique_ptr<Scratch> shared;              ///< of one sample after the other
    std::mutex mutex;
    std::vector<std::unique_ptr<Scratch>> idle{}; ///< one a worker at a time
    std::unique_ptr<Scratch> take()
    {
        const std::scoped_lock lock(mutex);
        if (idle.empty())
            return std::make_unique<Scratch>(false);
        std::unique_ptr<Scratch> scratch = std::move(idle.back());
        idle.pop_back();
        return scratch;
    }
    void give(std::unique_ptr<Scratch> scratch)
    {
        const std::scoped_lock lock(mutex);
        idle.push_back(std::move(scratch));
    }
};

ForwardPass::ForwardPass(const Model& model) : m_workers(new Workers{model, {}, nullptr, {}}) {}
ForwardPass::~ForwardPass() = default;

const std::vector<tensor::Matrix<float>>& ForwardPass::run(std::span<const Sample> samples, const RunContext& context, Observer* observer)
{
    Workers& w = *m_workers;
    w.outputs.resize(samples.size());
    for (std::size_t i = 0; i < samples.size(); ++i) {
        w.model.check(samples[i]);
        const std::int64_t rows = w.model.outputRows(samples[i]), cols = w.model.outputWidth();
        if (w.outputs[i].rows() != rows || w.outputs[i].cols() != cols)
            w.outputs[i] = tensor::Matrix<float>(rows, cols);
    }
    if (samples.size() < static_cast<std::size_t>(threadCount())) {
        if (!w.shared)
            w.shared = std::make_unique<Scratch>(true);
        w.shared->setContext(context);
        for (std::size_t i = 0; i < samples.size(); ++i)
            w.model.run(samples[i], w.outputs[i].view(), *w.shared, i, observer);
        return w.outputs;
    }
    parallelFor(context, samples.size(), [&](std::size_t i) {
        std::unique_ptr<Scratch> scratch = w.take();
        scratch->setContext(context);
        w.model.run(samples[i], w.outputs[i].view(), *scratch, i, observer);
        w.give(std::move(scratch));
    });
    return w.outputs;
}

std::vector<tensor::Matrix<float>> runBatch(const Model& model, std::span<const Sample> samples, const RunContext& context, Observer* observer)
{
    ForwardPass pass(model);
    return pass.run(samples, context, observer);
}

} // namespace tamis::nn
