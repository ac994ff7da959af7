// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cost/layer_chain.h"

#include "core/base/error.h"
#include "core/io/layout.h"
#include "core/nn/relative_attention.h"

#include <algorithm>
#include <limits>

namespace tamis::cost {
namespace {

constexpr std::int64_t kMaxDimension = std::int64_t{1} << 31; ///< of the architecture's numbers
constexpr std::size_t kUntouched = std::numeric_limits<std::size_t>::max();

std::int64_t checked(std::int64_t value, std::int64_t least, const char* what)
{
    if (value < least || value > kMaxDimension)
        throw Error(ErrorCode::InvalidParameter,
                    std::to_string(value) + " is out of range; expected " + std::to_string(least) + " to " + std::to_string(kMaxDimension),
                    what);
    return value;
}

std::uint64_t sumOf(std::uint64_t a, std::uint64_t b)
{
    std::uint64_t result = 0;
    if (__builtin_add_overflow(a, b, &result))
        throw Error(ErrorCode::LimitExceeded, "a cost does not fit in 64 bits", "model cost");
    return result;
}

std::int64_t ceilDivide(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Where an operator stands, and its name for want of a better one.
struct Place {
    std::string name;
    int block = -1;
    io::Role role = io::Role::Other;
    const char* kind = "linear";
    bool tied = false; ///< multiplies by a matrix that is stored elsewhere
};

class ChainBuilder {
public:
    ChainBuilder(const nn::ModelSpec& spec, const CostOptions& options)
        : m_spec(spec), m_options(options), m_named(options.names.size(), false)
    {
    }
    LayerChain build();

private:
    using Id = std::size_t;
    using Ids = std::initializer_list<Id>;

    void embedImage();
    void embedText();
    void positions(std::int64_t rows, std::uint64_t parameters, std::int64_t readRows);
    void block(int index);
    void project(int index, Id input, const Ids& qkv);
    void attend(int index, const Ids& qkv, Id mixed);
    void mlp(int index);
    void merge(int index);
    void output();
    void head(Id input, std::int64_t rows, std::int64_t width);
    Id pooled();

    Id buffer(std::string name, std::int64_t rows, std::int64_t cols);
    void touch(Id id); ///< the buffer is needed by the next step
    report::LayerCost& step(report::LayerCost layer, const Ids& reads, const Ids& writes);
    report::LayerCost& linear(const Place& place, std::int64_t rows, std::int64_t in, std::int64_t out, bool bias, const Ids& reads,
                              const Ids& writes);
    /// A product whose result is added to the residual stream, with its LayerScale.
    void addBranch(const Place& place, std::int64_t in, bool bias, Id input, bool scaled);
    bool norm(std::string name, int block, const nn::NormSpec& spec, std::int64_t rows, std::int64_t width, Id from, Id to);
    void pointwise(std::string name, const char* kind, int block, std::int64_t rows, std::int64_t width, std::uint64_t parameters,
                   const Ids& reads, const Ids& writes);
    std::string operatorName(const Place& place, std::int64_t in, std::int64_t out);
    std::uint64_t weightBytes(std::uint64_t parameters) const
    {
        return countOf({static_cast<std::int64_t>(parameters), m_options.weightBytes});
    }
    void warnOfTheUnused();

    const nn::ModelSpec& m_spec;
    const CostOptions& m_options;
    LayerChain m_chain;
    std::vector<bool> m_named;            ///< which of the options' names were met
    std::vector<std::string> m_met;       ///< operator names of the chain
    std::int64_t m_rows = 0, m_width = 0; ///< of the residual stream
    Id m_x = 0;                           ///< the residual stream
};

// Steps

void ChainBuilder::touch(Id id)
{
    auto& buffer = m_chain.buffers[id];
    buffer.first = std::min(buffer.first, m_chain.layers.size());
    buffer.last = m_chain.layers.size();
}

ChainBuilder::Id ChainBuilder::buffer(std::string name, std::int64_t rows, std::int64_t cols)
{
    m_chain.buffers.push_back({std::move(name), countOf({rows, cols, m_options.activationBytes}), kUntouched, 0});
    return m_chain.buffers.size() - 1;
}

report::LayerCost& ChainBuilder::step(report::LayerCost layer, const Ids& reads, const Ids& writes)
{
    for (const Ids* ids : {&reads, &writes})
        for (const Id id : *ids) {
            layer.activationBytes = sumOf(layer.activationBytes, m_chain.buffers[id].bytes);
            touch(id);
        }
    m_chain.layers.push_back(std::move(layer));
    return m_chain.layers.back();
}

std::string ChainBuilder::operatorName(const Place& place, std::int64_t in, std::int64_t out)
{
    for (std::size_t i = 0; i < m_options.names.size(); ++i) {
        const auto& shape = m_options.names[i];
        const bool fits = (shape.in == 0 || shape.in == in) && (shape.out == 0 || shape.out == out);
        if (m_named[i] || shape.layer != place.block || shape.role != place.role || !fits)
            continue;
        m_named[i] = true;
        return shape.name;
    }
    return place.name;
}

report::LayerCost& ChainBuilder::linear(const Place& place, std::int64_t rows, std::int64_t in, std::int64_t out, bool bias,
                                        const Ids& reads, const Ids& writes)
{
    checked(in, 1, place.name.c_str());
    checked(out, 1, place.name.c_str());
    report::LayerCost layer;
    layer.name = operatorName(place, in, out);
    m_met.push_back(layer.name);
    layer.kind = place.kind;
    layer.role = io::roleName(place.role);
    layer.block = place.block;
    layer.inputShape = {rows, in};
    layer.outputShape = {rows, out};
    layer.form = "dense";
    const std::uint64_t matrix = countOf({in, out}), biases = bias ? static_cast<std::uint64_t>(out) : 0;
    layer.parameters = place.tied ? biases : sumOf(matrix, biases);
    layer.weightBytes = weightBytes(layer.parameters);
    layer.weightReadBytes = weightBytes(sumOf(matrix, biases));
    std::uint64_t macsPerToken = matrix;
    if (const auto form = m_options.operators.find(layer.name); form != m_options.operators.end()) {
        layer.form = form->second.form;
        layer.parameters = form->second.parameters;
        layer.weightBytes = layer.weightReadBytes = form->second.bytes;
        macsPerToken = form->second.macsPerToken;
    }
    layer.macs = countOf({rows, static_cast<std::int64_t>(macsPerToken)});
    return step(std::move(layer), reads, writes);
}

void ChainBuilder::pointwise(std::string name, const char* kind, int block, std::int64_t rows, std::int64_t width,
                             std::uint64_t parameters, const Ids& reads, const Ids& writes)
{
    report::LayerCost layer;
    layer.name = std::move(name);
    layer.kind = kind;
    layer.block = block;
    layer.inputShape = layer.outputShape = {rows, width};
    layer.parameters = parameters;
    layer.weightBytes = layer.weightReadBytes = weightBytes(parameters);
    step(std::move(layer), reads, writes);
}

bool ChainBuilder::norm(std::string name, int block, const nn::NormSpec& spec, std::int64_t rows, std::int64_t width, Id from, Id to)
{
    if (spec.kind == nn::NormKind::None)
        return false;
    const bool bias = spec.kind == nn::NormKind::LayerNorm && spec.bias;
    pointwise(std::move(name), "norm", block, rows, width, countOf({width, bias ? 2 : 1}), {from}, {to});
    return true;
}

void ChainBuilder::addBranch(const Place& place, std::int64_t in, bool bias, Id input, bool scaled)
{
    const std::string scale = place.name + "Scale";
    if (m_options.fused) {
        linear(place, m_rows, in, m_width, bias, {input, m_x}, {m_x});
        if (scaled)
            pointwise(scale, "scale", place.block, m_rows, m_width, static_cast<std::uint64_t>(m_width), {}, {});
        return;
    }
    const Id branch = buffer(place.name + " branch", m_rows, m_width);
    if (scaled) {
        linear(place, m_rows, in, m_width, bias, {input}, {branch});
        pointwise(scale, "scale", place.block, m_rows, m_width, static_cast<std::uint64_t>(m_width), {branch, branch, m_x}, {branch, m_x});
    } else {
        linear(place, m_rows, in, m_width, bias, {input, branch, m_x}, {branch, m_x});
    }
}

// The start

void ChainBuilder::positions(std::int64_t rows, std::uint64_t parameters, std::int64_t readRows)
{
    if (parameters == 0)
        return;
    report::LayerCost layer;
    layer.name = "positions";
    layer.kind = "embedding";
    layer.role = io::roleName(io::Role::Position);
    layer.inputShape = layer.outputShape = {rows, m_width};
    layer.parameters = parameters;
    layer.weightBytes = weightBytes(parameters);
    layer.weightReadBytes = countOf({readRows, m_width, m_options.weightBytes});
    step(std::move(layer), {m_x}, {m_x});
}

void ChainBuilder::embedImage()
{
    const auto& patch = m_spec.patch;
    const std::int64_t patches = checked(patch.gridHeight, 1, "patch grid height") * checked(patch.gridWidth, 1, "patch grid width");
    checked(patches, 1, "patches");
    const std::int64_t in = checked(static_cast<std::int64_t>(countOf({patch.channels, patch.patchHeight, patch.patchWidth})), 1, "patch size");
    m_rows = m_chain.tokens = checked(patches + checked(patch.prefixTokens, 0, "prefix tokens"), 1, "tokens");
    const Id rows = buffer("patches", patches, in);
    m_x = buffer("residual", m_rows, m_width);
    linear({"patch", -1, io::Role::Patch, "patch"}, patches, in, m_width, patch.bias, {rows}, {m_x});
    std::int64_t table = 0;
    if (patch.positions) {
        const std::int64_t height = patch.tableHeight ? patch.tableHeight : patch.gridHeight;
        const std::int64_t width = patch.tableWidth ? patch.tableWidth : patch.gridWidth;
        table = checked(height, 1, "position table height") * checked(width, 1, "position table width") +
                (patch.positionsOnPrefix ? patch.prefixTokens : 0);
    }
    const std::int64_t read = patch.prefixTokens + (patch.positions ? patches + (patch.positionsOnPrefix ? patch.prefixTokens : 0) : 0);
    positions(m_rows, countOf({table + patch.prefixTokens, m_width}), read);
}

void ChainBuilder::embedText()
{
    const auto& text = m_spec.text;
    const std::int64_t tokens = m_options.tokens > 0 ? m_options.tokens
                                : text.maxPositions > 0 ? std::min<std::int64_t>(512, text.maxPositions) : 512;
    if (text.learnedPositions && tokens > text.maxPositions)
        throw Error(ErrorCode::InvalidParameter,
                    std::to_string(tokens) + " tokens were asked for; the model has positions for " + std::to_string(text.maxPositions), "tokens");
    m_rows = m_chain.tokens = checked(tokens, 1, "tokens");
    const std::int64_t width = text.embeddingWidth ? text.embeddingWidth : m_width;
    report::LayerCost lookup;
    lookup.name = "tokens";
    lookup.kind = "embedding";
    lookup.role = io::roleName(io::Role::Embedding);
    lookup.inputShape = {m_rows};
    lookup.outputShape = {m_rows, width};
    lookup.parameters = countOf({checked(text.vocabulary, 1, "vocabulary"), checked(width, 1, "embedding width")});
    lookup.weightBytes = weightBytes(lookup.parameters);
    lookup.activationBytes = countOf({m_rows, width, m_options.weightBytes});
    m_x = buffer(text.embeddingWidth ? "embedding" : "residual", m_rows, width);
    step(std::move(lookup), {}, {m_x});
    if (text.embeddingWidth) {
        const Id narrow = m_x;
        m_x = buffer("residual", m_rows, m_width);
        linear({"projectIn"}, m_rows, width, m_width, false, {narrow}, {m_x});
    }
    const std::int64_t table = text.learnedPositions ? checked(text.maxPositions, 0, "positions") + checked(text.positionOffset, 0, "position offset") : 0;
    const std::int64_t types = checked(text.tokenTypes, 0, "token types");
    positions(m_rows, countOf({table + types, m_width}), (text.learnedPositions ? m_rows : 0) + std::min(types, m_rows));
}

// A block

std::string blockName(int index, const char* what) { return "blocks." + std::to_string(index) + "." + what; }

void ChainBuilder::project(int index, Id input, const Ids& qkv)
{
    const auto& attention = m_spec.blocks[static_cast<std::size_t>(index)].attention;
    const std::int64_t q = attention.heads * attention.headDim, kv = attention.keyValueHeads * attention.headDim;
    const Id query = *qkv.begin(), key = *(qkv.begin() + 1), value = *(qkv.begin() + 2);
    if (attention.fusedQkv) {
        linear({blockName(index, "qkv"), index, io::Role::QueryKeyValue}, m_rows, m_width, q + 2 * kv, attention.qkvBias, {input}, qkv);
    } else {
        linear({blockName(index, "q"), index, io::Role::Query}, m_rows, m_width, q, attention.qkvBias, {input}, {query});
        linear({blockName(index, "k"), index, io::Role::Key}, m_rows, m_width, kv, attention.qkvBias, {input}, {key});
        linear({blockName(index, "v"), index, io::Role::Value}, m_rows, m_width, kv, attention.qkvBias, {input}, {value});
    }
    if (attention.queryKeyNorm.kind != nn::NormKind::None) {
        const bool bias = attention.queryKeyNorm.kind == nn::NormKind::LayerNorm && attention.queryKeyNorm.bias;
        pointwise(blockName(index, "queryKeyNorm"), "norm", index, m_rows, q + kv, countOf({2, attention.headDim, bias ? 2 : 1}),
                  {query, key}, {query, key});
    }
    if (attention.rope.enabled)
        pointwise(blockName(index, "rope"), "rope", index, m_rows, q + kv, 0, {query, key}, {query, key});
}

void ChainBuilder::attend(int index, const Ids& qkv, Id mixed)
{
    const auto& spec = m_spec.blocks[static_cast<std::size_t>(index)];
    const auto& attention = spec.attention;
    const std::uint64_t pairs = attentionPairs(spec, m_rows);
    report::LayerCost layer;
    layer.name = blockName(index, "attention");
    layer.kind = "attention";
    layer.block = index;
    const bool relative = nn::hasRelativeBias(spec);
    layer.form = relative ? "relative" : attention.window > 0 ? "window" : "exact";
    layer.inputShape = {m_rows, (attention.heads + 2 * attention.keyValueHeads) * attention.headDim};
    layer.outputShape = {m_rows, attention.heads * attention.headDim};
    layer.macs = countOf({2, static_cast<std::int64_t>(pairs), attention.heads, attention.headDim});
    std::uint64_t liveFloats = 0;
    if (relative) { // by displacement on the grid, and three for the class token
        const auto& patch = m_spec.patch;
        layer.parameters = countOf({2 * patch.tableHeight - 1, 2 * patch.tableWidth - 1, attention.heads}) + countOf({3, attention.heads});
        liveFloats = nn::relativeCost(attention, m_rows, 0).liveFloats;
    } else if (attention.window > 0) { // queries, keys, values and results gathered window by window
        const std::int64_t rows = attention.window, columns = attention.windowColumns();
        layer.parameters = countOf({2 * rows - 1, 2 * columns - 1, attention.heads});
        liveFloats = countOf({4, static_cast<std::int64_t>(pairs / countOf({rows, columns})), attention.heads, attention.headDim});
    }
    if (const auto form = m_options.attentions.find(index); form != m_options.attentions.end()) {
        layer.form = form->second.form;
        layer.parameters = form->second.parameters;
        layer.macs = form->second.macs;
        liveFloats = form->second.liveFloats;
    }
    layer.weightBytes = layer.weightReadBytes = weightBytes(layer.parameters);
    const Id query = *qkv.begin(), key = *(qkv.begin() + 1), value = *(qkv.begin() + 2);
    if (liveFloats > 0)
        touch(buffer(blockName(index, "attention scratch"), 1, static_cast<std::int64_t>(liveFloats)));
    if (m_options.fused) {
        step(std::move(layer), {query, key, value}, {mixed});
    } else {
        // scores written by one product, read and overwritten by the softmax, read by the other product
        const Id scores = buffer(blockName(index, "attention scores"), attention.heads, static_cast<std::int64_t>(pairs));
        step(std::move(layer), {query, key, value, scores, scores}, {scores, scores, mixed});
    }
}

void ChainBuilder::mlp(int index)
{
    const auto& spec = m_spec.blocks[static_cast<std::size_t>(index)];
    const std::int64_t hidden = checked(spec.mlp.hidden, 0, "MLP width");
    if (hidden == 0)
        return;
    Id input = m_x;
    if (!spec.postNorm && spec.norm.kind != nn::NormKind::None) {
        input = buffer(blockName(index, "normed"), m_rows, m_width);
        norm(blockName(index, "mlpNorm"), index, spec.norm, m_rows, m_width, m_x, input);
    }
    const Id up = buffer(blockName(index, "up"), m_rows, hidden);
    const Place upPlace{blockName(index, "up"), index, io::Role::Up};
    const std::string activation = blockName(index, "activation");
    if (spec.mlp.gated) { // activation(gate x) first, multiplied into up x
        const Id gate = buffer(blockName(index, "gate"), m_rows, hidden);
        linear({blockName(index, "gate"), index, io::Role::Gate}, m_rows, m_width, hidden, spec.mlp.bias, {input}, {gate});
        if (m_options.fused) {
            pointwise(activation, "activation", index, m_rows, hidden, 0, {}, {});
            linear(upPlace, m_rows, m_width, hidden, spec.mlp.bias, {input, gate}, {up});
        } else { // the activation in place, and the product of the two
            linear(upPlace, m_rows, m_width, hidden, spec.mlp.bias, {input}, {up});
            pointwise(activation, "activation", index, m_rows, hidden, 0, {gate, gate, up}, {gate, up});
        }
    } else {
        linear(upPlace, m_rows, m_width, hidden, spec.mlp.bias, {input}, {up});
        if (m_options.fused)
            pointwise(activation, "activation", index, m_rows, hidden, 0, {}, {});
        else
            pointwise(activation, "activation", index, m_rows, hidden, 0, {up}, {up});
    }
    const Place down{blockName(index, "down"), index, io::Role::Down};
    addBranch(down, hidden, spec.mlp.bias, up, spec.layerScale);
    if (spec.postNorm)
        norm(blockName(index, "mlpNorm"), index, spec.norm, m_rows, m_width, m_x, m_x);
}

void ChainBuilder::merge(int index)
{
    const auto& spec = m_spec.blocks[static_cast<std::size_t>(index)];
    const std::int64_t rows = ceilDivide(spec.gridHeight, 2) * ceilDivide(spec.gridWidth, 2), wide = 4 * m_width;
    const Id gathered = buffer(blockName(index, "merged"), rows, wide);
    norm(blockName(index, "mergeNorm"), index, spec.norm, rows, wide, m_x, gathered);
    const Id narrow = buffer("residual", rows, 2 * m_width);
    linear({blockName(index, "merge"), index, io::Role::Other, "merge"}, rows, wide, 2 * m_width, false, {gathered}, {narrow});
    m_x = narrow;
    m_rows = rows;
    m_width = checked(2 * m_width, 1, "width");
}

void ChainBuilder::block(int index)
{
    const auto& spec = m_spec.blocks[static_cast<std::size_t>(index)];
    const auto& attention = spec.attention;
    const std::string where = "blocks." + std::to_string(index);
    checked(attention.heads, 1, (where + " heads").c_str());
    checked(attention.keyValueHeads, 1, (where + " key-value heads").c_str());
    checked(attention.headDim, 1, (where + " head width").c_str());
    const std::int64_t q = attention.heads * attention.headDim, kv = attention.keyValueHeads * attention.headDim;
    checked(q + 2 * kv, 1, (where + " attention width").c_str());
    if (spec.width != m_width)
        throw Error(ErrorCode::InvalidParameter,
                    "width " + std::to_string(spec.width) + ", but the layer before gives " + std::to_string(m_width), where);
    if (spec.gridHeight > 0 && spec.gridHeight * spec.gridWidth != m_rows)
        throw Error(ErrorCode::InvalidParameter,
                    "grid of " + std::to_string(spec.gridHeight) + " x " + std::to_string(spec.gridWidth) + " tokens, but the layer before gives " +
                        std::to_string(m_rows), where);
    Id input = m_x;
    if (!spec.postNorm && spec.norm.kind != nn::NormKind::None) {
        input = buffer(where + ".normed", m_rows, m_width);
        norm(where + ".attentionNorm", index, spec.norm, m_rows, m_width, m_x, input);
    }
    const Id query = buffer(where + ".q", m_rows, q), key = buffer(where + ".k", m_rows, kv), value = buffer(where + ".v", m_rows, kv);
    project(index, input, {query, key, value});
    const Id mixed = buffer(where + ".mixed", m_rows, q);
    attend(index, {query, key, value}, mixed);
    addBranch({where + ".output", index, io::Role::Output}, q, attention.outputBias, mixed, spec.layerScale);
    if (spec.postNorm)
        norm(where + ".attentionNorm", index, spec.norm, m_rows, m_width, m_x, m_x);
    mlp(index);
    if (spec.mergeAfter)
        merge(index);
}

// The end

ChainBuilder::Id ChainBuilder::pooled()
{
    const std::int64_t width = m_spec.pool == nn::Pool::ClassAndMean ? 2 * m_width : m_width;
    const std::int64_t rows = m_spec.distillationHead ? 2 : 1;
    const Id pooled = buffer("pooled", rows, width);
    report::LayerCost layer;
    layer.name = "pool";
    layer.kind = "pool";
    layer.inputShape = {m_rows, m_width};
    layer.outputShape = {rows, width};
    const bool all = m_spec.pool == nn::Pool::Mean || m_spec.pool == nn::Pool::ClassAndMean;
    touch(m_x);
    layer.activationBytes = countOf({all ? m_rows : rows, m_width, m_options.activationBytes});
    step(std::move(layer), {}, {pooled});
    return pooled;
}

void ChainBuilder::head(Id input, std::int64_t rows, std::int64_t width)
{
    const bool language = m_spec.task == nn::Task::CausalLanguage || m_spec.task == nn::Task::MaskedLanguage;
    const std::int64_t out = m_spec.classes > 0 ? m_spec.classes : language ? m_spec.text.vocabulary : 0;
    if (out == 0)
        return;
    const Place place{"head", -1, io::Role::Head, "head", language && m_spec.text.tiedHead};
    if (!m_spec.distillationHead) {
        linear(place, rows, width, out, m_spec.headBias, {input}, {buffer("output", rows, out)});
        return;
    }
    linear(place, 1, width, out, m_spec.headBias, {input}, {buffer("output", 1, out)});
    linear({"distillationHead", -1, io::Role::Head, "head"}, 1, width, out, m_spec.headBias, {input}, {buffer("distillation output", 1, out)});
}

void ChainBuilder::output()
{
    norm("finalNorm", -1, m_spec.finalNorm, m_rows, m_width, m_x, m_x);
    const bool pools = m_spec.pool != nn::Pool::None;
    Id input = pools ? pooled() : m_x;
    const std::int64_t rows = !pools ? m_rows : m_spec.distillationHead ? 2 : 1;
    std::int64_t width = m_spec.pool == nn::Pool::ClassAndMean ? 2 * m_width : m_width;
    if (m_spec.pooler) { // BERT's pooler, a masked-language head's own layer, or OPT's projection back to the embedding's width
        const std::int64_t narrow = m_spec.text.embeddingWidth, out = narrow ? narrow : width;
        const Id transformed = buffer("transformed", rows, out);
        linear({"transform"}, rows, width, out, narrow == 0, {input}, {transformed});
        input = transformed;
        width = out;
    }
    norm("poolNorm", -1, m_spec.poolNorm, rows, width, input, input);
    head(input, rows, width);
}

void ChainBuilder::warnOfTheUnused()
{
    for (std::size_t i = 0; i < m_named.size(); ++i)
        if (!m_named[i])
            m_chain.warnings.push_back(m_options.names[i].name + " is no operator of this architecture: its cost is not counted");
    for (const auto& [name, form] : m_options.operators)
        if (std::find(m_met.begin(), m_met.end(), name) == m_met.end())
            m_chain.warnings.push_back("no operator of this architecture is named " + name + ": its form (" + form.form + ") is not counted");
    for (const auto& [index, form] : m_options.attentions)
        if (index < 0 || index >= static_cast<int>(m_spec.blocks.size()))
            m_chain.warnings.push_back("there is no block " + std::to_string(index) + ": its attention (" + form.form + ") is not counted");
}

LayerChain ChainBuilder::build()
{
    m_width = checked(m_spec.width, 1, "width");
    if (m_spec.vision())
        embedImage();
    else
        embedText();
    norm("preNorm", -1, m_spec.preNorm, m_rows, m_width, m_x, m_x);
    for (std::size_t i = 0; i < m_spec.blocks.size(); ++i)
        block(static_cast<int>(i));
    output();
    warnOfTheUnused();
    return std::move(m_chain);
}

} // namespace

std::uint64_t countOf(std::initializer_list<std::int64_t> factors)
{
    std::uint64_t product = 1;
    for (const std::int64_t factor : factors) {
        if (factor < 0)
            throw Error(ErrorCode::InvalidParameter, std::to_string(factor) + " as a count; expected 0 or more", "model cost");
        if (__builtin_mul_overflow(product, static_cast<std::uint64_t>(factor), &product))
            throw Error(ErrorCode::LimitExceeded, "a cost does not fit in 64 bits", "model cost");
    }
    return product;
}

std::uint64_t attentionPairs(const nn::BlockSpec& block, std::int64_t tokens)
{
    const auto& attention = block.attention;
    if (attention.window > 0 && !nn::hasRelativeBias(block)) { // the grid is padded to whole windows
        const std::int64_t rows = checked(attention.window, 1, "window"), columns = checked(attention.windowColumns(), 1, "window");
        const std::int64_t down = ceilDivide(checked(block.gridHeight, 1, "grid height"), rows);
        const std::int64_t across = ceilDivide(checked(block.gridWidth, 1, "grid width"), columns);
        return countOf({down, across, rows, columns, rows, columns});
    }
    if (!attention.causal)
        return countOf({tokens, tokens});
    // query i sees min(i + 1, reach) keys
    const std::int64_t reach = attention.slidingWindow > 0 ? std::min(attention.slidingWindow, tokens) : tokens;
    return countOf({reach, reach + 1}) / 2 + countOf({tokens - reach, reach});
}

LayerChain layerChain(const nn::ModelSpec& spec, const CostOptions& options) { return ChainBuilder(spec, options).build(); }

} // namespace tamis::cost
