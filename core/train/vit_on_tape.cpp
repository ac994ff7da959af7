// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/vit_on_tape.h"

#include "core/base/error.h"
#include "core/nn/architecture.h"
#include "core/nn/model_content.h"
#include "core/train/attention_ops.h"
#include "core/train/counter_random.h"
#include "core/train/linear_ops.h"
#include "core/train/named_parameters.h"
#include "core/train/norm_ops.h"
#include "core/train/pointwise_ops.h"
#include "core/train/policy_ops.h"
#include "core/train/token_ops.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

namespace tamis::train {
namespace {
using kernels::Activation;

void requireVit(bool holds, const std::string& message, const std::string& subject)
{
    if (!holds)
        throw Error(ErrorCode::UnsupportedFeature, message, subject);
}

nn::Architecture readVit(const io::Checkpoint& checkpoint, const nn::TensorSource& source, nn::ImageSize size)
{
    nn::Architecture architecture = nn::readArchitecture(checkpoint.config(), source, size);
    const nn::ModelSpec& s = architecture.spec;
    const nn::PatchSpec& p = s.patch;
    const std::string subject = checkpoint.path().string();
    requireVit(s.family == io::Family::TimmVit || s.family == io::Family::HfVit, "is a " + s.architecture + ", expected a vision transformer for training", subject);
    requireVit(p.patchHeight == p.patchWidth,
               "the patches are " + std::to_string(p.patchHeight) + " x " + std::to_string(p.patchWidth) + ", expected squares for training", subject);
    for (const nn::BlockSpec& block : s.blocks)
        requireVit(!block.attention.rope.enabled && block.attention.window == 0 && !block.mlp.gated,
                   "has rotary or relative positions or gated MLPs, expected learned positions and plain MLPs for training", subject);
    requireVit(s.pool != nn::Pool::None || s.distillationHead, "no token is pooled, expected a class token or a mean", subject);
    return architecture;
}

/// What resampling makes of a position table, as a matrix [grid, table]: its columns are what becomes of the unit vectors.
/// Empty where the table has the grid.
template <class T> tensor::Matrix<T> resampling(const nn::ModelSpec& s)
{
    const nn::PatchSpec& p = s.patch;
    if (!p.positions || (p.tableHeight == p.gridHeight && p.tableWidth == p.gridWidth))
        return {};
    const std::int64_t rows = p.tableHeight * p.tableWidth;
    tensor::Matrix<float> units(rows, rows);
    for (std::int64_t i = 0; i < rows; ++i)
        units(i, i) = 1;
    const tensor::Matrix<float> resampled =
        nn::resamplePositions(units, p.tableHeight, p.tableWidth, p.gridHeight, p.gridWidth, s.family == io::Family::TimmVit);
    tensor::Matrix<T> result(resampled.rows(), resampled.cols());
    std::ranges::copy(resampled.values(), result.data());
    return result;
}

VitShape shapeFrom(const nn::ModelSpec& s)
{
    const nn::BlockSpec& block = s.blocks.front();
    return {.channels = s.patch.channels, .imageHeight = s.patch.imageHeight, .imageWidth = s.patch.imageWidth, .patch = s.patch.patchHeight, .width = s.width,
            .depth = static_cast<std::int64_t>(s.blocks.size()), .heads = block.attention.heads, .hidden = block.mlp.hidden, .classes = s.classes,
            .prefixTokens = s.patch.prefixTokens, .epsilon = static_cast<double>(block.norm.epsilon), .activation = block.mlp.activation};
}

/// timm's plain ViT of that shape.
nn::Architecture architectureOf(const VitShape& shape)
{
    nn::Architecture a;
    nn::ModelSpec& s = a.spec;
    s.family = io::Family::TimmVit;
    s.task = nn::Task::ImageClassification;
    s.width = shape.width;
    s.classes = shape.classes;
    s.headBias = true;
    s.patch.channels = shape.channels;
    s.patch.patchHeight = s.patch.patchWidth = shape.patch;
    s.patch.imageHeight = shape.imageHeight;
    s.patch.imageWidth = shape.imageWidth;
    s.patch.gridHeight = s.patch.tableHeight = shape.imageHeight / shape.patch;
    s.patch.gridWidth = s.patch.tableWidth = shape.imageWidth / shape.patch;
    s.patch.prefixTokens = 1;
    s.patch.classToken = s.patch.bias = true;
    s.finalNorm = {nn::NormKind::LayerNorm, static_cast<float>(shape.epsilon), true};
    a.names = {.classToken = "cls_token", .positions = "pos_embed", .patch = "patch_embed.proj", .finalNorm = "norm", .head = "head"};
    for (std::int64_t b = 0; b < shape.depth; ++b) {
        const std::string p = "blocks." + std::to_string(b) + ".";
        nn::BlockSpec block;
        block.width = shape.width;
        block.norm = s.finalNorm;
        block.attention.heads = block.attention.keyValueHeads = shape.heads;
        block.attention.headDim = shape.width / shape.heads;
        block.attention.scale = 1.0F / std::sqrt(static_cast<float>(block.attention.headDim));
        block.attention.fusedQkv = block.attention.qkvBias = block.attention.outputBias = true;
        block.mlp = {.hidden = shape.hidden, .bias = true, .activation = shape.activation};
        s.blocks.push_back(block);
        a.names.blocks.push_back({.attentionNorm = p + "norm1", .mlpNorm = p + "norm2", .qkv = p + "attn.qkv", .output = p + "attn.proj", .up = p + "mlp.fc1",
                                  .down = p + "mlp.fc2"});
    }
    return a;
}

/// Normal, cut at two deviations: Box and Muller's transform by position, drawn again where it is larger.
double cutNormal(std::uint64_t seed, std::uint64_t position)
{
    for (std::uint64_t attempt = 0;; ++attempt) {
        const double u = uniformAt(seed, (position * 64 + attempt) * 2), v = uniformAt(seed, (position * 64 + attempt) * 2 + 1);
        const double value = std::sqrt(-2 * std::log(1 - u)) * std::cos(2 * std::numbers::pi * v);
        if (std::abs(value) < 2)
            return value;
    }
}

/// Tensors of an architecture: from a checkpoint, or drawn (source null).
template <class T> struct Reader {
    ParameterSet<T>& set;
    const nn::TensorSource* source = nullptr;
    std::uint64_t seed = 0;

    void drawn(const std::string& name, const std::vector<std::int64_t>& shape, bool decays) const
    {
        Parameter<T>& parameter = set.add(name, shape, {}, decays);
        const std::uint64_t own = seed + set.all().size() * 0x9E3779B97F4A7C15ULL;
        for (std::size_t i = 0; i < parameter.values.size(); ++i)
            parameter.values.values()[i] = static_cast<T>(0.02 * cutNormal(own, i));
    }
    void constant(const std::string& name, std::int64_t width, T value) const
    {
        set.add(name, {width}, std::vector<T>(static_cast<std::size_t>(width), value), false);
    }
    void table(const std::string& name, std::int64_t rows, std::int64_t width) const
    {
        if (source)
            readParameter(set, *source, name, rows, width, false);
        else
            drawn(name, {1, rows, width}, false);
    }
    void linear(const std::string& name, std::int64_t out, std::int64_t in, const std::vector<std::int64_t>& shape = {}) const
    {
        if (source)
            return readLinear(set, *source, name, out, in);
        drawn(name + ".weight", shape.empty() ? std::vector<std::int64_t>{out, in} : shape, true);
        constant(name + ".bias", out, T{0});
    }
    void norm(const nn::NormSpec& spec, const std::string& name, std::int64_t width) const
    {
        if (spec.kind == nn::NormKind::None)
            return;
        if (source)
            return readNorm(set, *source, name, width);
        constant(name + ".weight", width, T{1});
        constant(name + ".bias", width, T{0});
    }
};
} // namespace

template <class T> struct VitOnTape<T>::Content {
    nn::Architecture architecture;
    VitShape shape;
    ParameterSet<T> parameters;
    tensor::Matrix<T> resample; ///< of the position table; empty: as it is

    const nn::ModelSpec& spec() const { return architecture.spec; }
    const nn::ModelNames& names() const { return architecture.names; }

    void readBlock(const Reader<T>& reader, const nn::BlockSpec& block, const nn::BlockNames& n)
    {
        const std::int64_t d = block.width;
        reader.norm(block.norm, n.attentionNorm, d);
        if (block.attention.fusedQkv)
            reader.linear(n.qkv, 3 * d, d);
        else
            for (const std::string& name : {n.query, n.key, n.value})
                reader.linear(name, d, d);
        reader.norm(block.attention.queryKeyNorm, n.queryNorm, block.attention.headDim);
        reader.norm(block.attention.queryKeyNorm, n.keyNorm, block.attention.headDim);
        reader.linear(n.output, d, d);
        if (block.layerScale)
            reader.table(n.attentionScale, 1, d);
        if (block.mlp.hidden == 0)
            return;
        reader.norm(block.norm, n.mlpNorm, d);
        reader.linear(n.up, block.mlp.hidden, d);
        reader.linear(n.down, d, block.mlp.hidden);
        if (block.layerScale)
            reader.table(n.mlpScale, 1, d);
    }
    void read(const Reader<T>& reader, const RunContext& context)
    {
        const nn::PatchSpec& p = spec().patch;
        const std::int64_t d = spec().width;
        if (p.classToken)
            reader.table(names().classToken, 1, d);
        if (p.distillationToken)
            reader.table(names().distillationToken, 1, d);
        if (p.registerTokens > 0)
            reader.table(names().registerTokens, p.registerTokens, d);
        if (p.positions)
            reader.table(names().positions, p.tableHeight * p.tableWidth + (p.positionsOnPrefix ? p.prefixTokens : 0), d);
        reader.linear(names().patch, d, shape.patchValues(), {d, p.channels, p.patchHeight, p.patchWidth});
        reader.norm(spec().preNorm, names().preNorm, d);
        for (std::size_t b = 0; b < spec().blocks.size(); ++b) {
            context.throwIfStopped();
            readBlock(reader, spec().blocks[b], names().blocks[b]);
        }
        reader.norm(spec().finalNorm, names().finalNorm, d);
        const std::int64_t pooled = spec().pool == nn::Pool::ClassAndMean ? 2 * d : d;
        reader.norm(spec().poolNorm, names().poolNorm, pooled);
        if (spec().classes > 0)
            reader.linear(names().head, spec().classes, pooled);
        if (spec().distillationHead)
            reader.linear(names().secondHead, spec().classes, d);
    }

    Variable<T> leaf(Tape<T>& tape, const std::string& name) { return leafNamed(tape, parameters, name); }
    Variable<T> norm(Tape<T>& tape, const nn::NormSpec& spec, const std::string& name, Variable<T> x)
    {
        return spec.kind == nn::NormKind::None ? x : layerNorm(x, leaf(tape, name + ".weight"), leaf(tape, name + ".bias"), static_cast<double>(spec.epsilon));
    }
    Variable<T> heads(Tape<T>& tape, const nn::NormSpec& spec, const std::string& name, Variable<T> x)
    {
        return spec.kind == nn::NormKind::None ? x : headLayerNorm(x, leaf(tape, name + ".weight"), leaf(tape, name + ".bias"), static_cast<double>(spec.epsilon));
    }

    Variable<T> positionsOf(Tape<T>& tape)
    {
        const Variable<T> table = leaf(tape, names().positions);
        if (resample.empty())
            return table;
        std::vector<std::int32_t> rows(static_cast<std::size_t>(table.rows()));
        std::iota(rows.begin(), rows.end(), 0);
        const auto before = rows.size() - static_cast<std::size_t>(resample.cols());
        const std::span<const std::int32_t> all(rows);
        const Variable<T> patches = product(tape.constant(resample.view()), gatherRows(table, all.subspan(before)));
        return before > 0 ? joinTokens<T>(gatherRows(table, all.first(before)), patches, {}, 1) : patches;
    }
    Variable<T> embed(Tape<T>& tape, Variable<T> patchRows, std::int64_t images, const ForwardHooks<T>& hooks)
    {
        const nn::PatchSpec& p = spec().patch;
        Variable<T> x = linearNamed(tape, parameters, names().patch, patchRows, hooks);
        Variable<T> prefix;
        for (const auto& [present, name] : {std::pair{p.classToken, &names().classToken}, {p.distillationToken, &names().distillationToken},
                                            {p.registerTokens > 0, &names().registerTokens}})
            if (present)
                prefix = prefix ? joinTokens<T>(prefix, leaf(tape, *name), {}, 1) : leaf(tape, *name);
        const Variable<T> positions = p.positions ? positionsOf(tape) : Variable<T>{};
        if (p.positionsOnPrefix || !positions)
            x = prefix || positions ? joinTokens(prefix, x, positions, images) : x;
        else if (x = joinTokens<T>({}, x, positions, images); prefix)
            x = joinTokens<T>(prefix, x, {}, images);
        return norm(tape, spec().preNorm, names().preNorm, x);
    }

    Variable<T> attend(Tape<T>& tape, std::size_t index, Variable<T> x, Variable<T> policy, std::int64_t images, const ForwardHooks<T>& hooks)
    {
        const nn::AttentionSpec& at = spec().blocks[index].attention;
        const nn::BlockNames& n = names().blocks[index];
        Variable<T> q, k, v;
        if (at.fusedQkv) {
            const Variable<T> qkv = linearNamed(tape, parameters, n.qkv, x, hooks);
            const std::int64_t d = qkv.cols() / 3;
            q = tape.window(qkv, 0, d);
            k = tape.window(qkv, d, d);
            v = tape.window(qkv, 2 * d, d);
        } else {
            q = linearNamed(tape, parameters, n.query, x, hooks);
            k = linearNamed(tape, parameters, n.key, x, hooks);
            v = linearNamed(tape, parameters, n.value, x, hooks);
        }
        q = heads(tape, at.queryKeyNorm, n.queryNorm, q);
        k = heads(tape, at.queryKeyNorm, n.keyNorm, k);
        if (const Variable<T> mixed = hooks.replaceAttention ? hooks.replaceAttention(index, {x, q, k, v, images}) : Variable<T>{})
            return mixed;
        const AttentionShape attended{.sequences = images, .heads = at.heads, .scale = static_cast<double>(at.scale)};
        return policy ? policyAttention(q, k, v, policy, attended) : attention(q, k, v, attended);
    }
    /// x + scale * (branch W^T + b)
    Variable<T> onto(Tape<T>& tape, Variable<T> x, Variable<T> branch, const std::string& name, bool scaled, const std::string& scaleName, const ForwardHooks<T>& hooks)
    {
        if (!scaled)
            return linearNamed(tape, parameters, name, branch, hooks, x);
        return add(multiplyRow(linearNamed(tape, parameters, name, branch, hooks), leaf(tape, scaleName)), x);
    }
    Variable<T> block(Tape<T>& tape, std::size_t index, Variable<T> x, std::int64_t images, const ForwardHooks<T>& hooks)
    {
        const nn::BlockSpec& s = spec().blocks[index];
        const nn::BlockNames& n = names().blocks[index];
        const Variable<T> policy = hooks.attentionPolicy ? hooks.attentionPolicy(index, x) : Variable<T>{};
        const Variable<T> mixed = attend(tape, index, norm(tape, s.norm, n.attentionNorm, x), policy, images, hooks);
        x = onto(tape, x, mixed, n.output, s.layerScale, n.attentionScale, hooks);
        if (s.mlp.hidden == 0)
            return x;
        const Variable<T> hidden = linearNamed(tape, parameters, n.up, norm(tape, s.norm, n.mlpNorm, x), hooks, {}, s.mlp.activation);
        return onto(tape, x, hidden, n.down, s.layerScale, n.mlpScale, hooks);
    }

    Variable<T> head(Tape<T>& tape, Variable<T> x, std::int64_t images, const ForwardHooks<T>& hooks)
    {
        const auto token = [&](std::int64_t index) { return norm(tape, spec().finalNorm, names().finalNorm, tokenOfEach(x, images, index)); };
        if (spec().distillationHead) // the mean of the class token's head and the distillation token's
            return scale(add(linearNamed(tape, parameters, names().head, token(0), hooks), linearNamed(tape, parameters, names().secondHead, token(1), hooks)), T{0.5});
        Variable<T> pooled = spec().pool == nn::Pool::Mean ? Variable<T>{} : token(0);
        if (spec().pool != nn::Pool::ClassToken) {
            const Variable<T> mean = meanOfEach(norm(tape, spec().finalNorm, names().finalNorm, x), images, spec().patch.prefixTokens);
            pooled = pooled ? joinColumns(pooled, mean) : mean;
        }
        pooled = norm(tape, spec().poolNorm, names().poolNorm, pooled);
        return spec().classes > 0 ? linearNamed(tape, parameters, names().head, pooled, hooks) : pooled;
    }
};

template <class T> VitOnTape<T>::VitOnTape(std::unique_ptr<Content> content) : m_content(std::move(content)) {}
template <class T> VitOnTape<T>::VitOnTape(VitOnTape&&) noexcept = default;
template <class T> VitOnTape<T>& VitOnTape<T>::operator=(VitOnTape&&) noexcept = default;
template <class T> VitOnTape<T>::~VitOnTape() = default;
template <class T> const VitShape& VitOnTape<T>::shape() const noexcept { return m_content->shape; }
template <class T> const nn::ModelSpec& VitOnTape<T>::spec() const noexcept { return m_content->spec(); }
template <class T> ParameterSet<T>& VitOnTape<T>::parameters() noexcept { return m_content->parameters; }
template <class T> const ParameterSet<T>& VitOnTape<T>::parameters() const noexcept { return m_content->parameters; }

template <class T>
VitOnTape<T> VitOnTape<T>::load(const io::Checkpoint& checkpoint, const RunContext& context, std::int64_t imageHeight, std::int64_t imageWidth)
{
    const nn::CheckpointSource source(checkpoint);
    auto content = std::make_unique<Content>();
    content->architecture = readVit(checkpoint, source, {imageHeight, imageWidth});
    content->shape = shapeFrom(content->spec());
    content->resample = resampling<T>(content->spec());
    content->read(Reader<T>{content->parameters, &source}, context);
    return VitOnTape(std::move(content));
}

template <class T> VitOnTape<T> VitOnTape<T>::initialised(const VitShape& shape, std::uint64_t seed)
{
    require(shape.channels > 0 && shape.patch > 0 && shape.imageHeight >= shape.patch && shape.imageWidth >= shape.patch &&
                shape.imageHeight % shape.patch == 0 && shape.imageWidth % shape.patch == 0,
            "vit", "the image's sides must be multiples of the patch");
    require(shape.width > 0 && shape.depth > 0 && shape.heads > 0 && shape.width % shape.heads == 0 && shape.hidden > 0 && shape.classes > 0 && shape.prefixTokens == 1,
            "vit", "width, depth, hidden features and classes must be positive, the width a multiple of the heads, and a class token the only prefix");
    auto content = std::make_unique<Content>();
    content->architecture = architectureOf(shape);
    content->shape = shape;
    content->read(Reader<T>{content->parameters, nullptr, seed}, {});
    return VitOnTape(std::move(content));
}

template <class T> void VitOnTape<T>::cutPatches(std::span<const float> image, T* rows) const
{
    const VitShape& s = m_content->shape;
    if (static_cast<std::int64_t>(image.size()) != s.imageValues())
        throw Error(ErrorCode::InvalidParameter,
                    "an image of " + std::to_string(image.size()) + " values was given, expected " + std::to_string(s.channels) + " x " +
                        std::to_string(s.imageHeight) + " x " + std::to_string(s.imageWidth),
                    "image");
    T* out = rows;
    for (std::int64_t top = 0; top < s.imageHeight; top += s.patch)
        for (std::int64_t left = 0; left < s.imageWidth; left += s.patch)
            for (std::int64_t c = 0; c < s.channels; ++c)
                for (std::int64_t y = 0; y < s.patch; ++y)
                    for (std::int64_t x = 0; x < s.patch; ++x)
                        *out++ = static_cast<T>(image[static_cast<std::size_t>((c * s.imageHeight + top + y) * s.imageWidth + left + x)]);
}

template <class T>
Variable<T> VitOnTape<T>::logits(Tape<T>& tape, Variable<T> patchRows, std::int64_t images, const ForwardHooks<T>& hooks)
{
    const VitShape& s = m_content->shape;
    if (images <= 0 || patchRows.rows() != images * s.patches() || patchRows.cols() != s.patchValues())
        refuseShapes("vit", "patch rows " + shapeOf(patchRows) + " for " + std::to_string(images) + " images",
                     "[images x " + std::to_string(s.patches()) + ", " + std::to_string(s.patchValues()) + "]");
    Variable<T> x = m_content->embed(tape, patchRows, images, hooks);
    for (std::size_t b = 0; b < m_content->spec().blocks.size(); ++b) {
        x = m_content->block(tape, b, x, images, hooks);
        if (hooks.observeBlock)
            hooks.observeBlock(b, x);
    }
    return m_content->head(tape, x, images, hooks);
}

template <class T> Variable<T> VitOnTape<T>::finalNorm(Tape<T>& tape, Variable<T> rows)
{
    return m_content->norm(tape, m_content->spec().finalNorm, m_content->names().finalNorm, rows);
}

template class VitOnTape<float>;
template class VitOnTape<double>;

} // namespace tamis::train
