// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/decoder_on_tape.h"

#include "core/base/error.h"
#include "core/nn/architecture.h"
#include "core/nn/rotary.h"
#include "core/train/attention_ops.h"
#include "core/train/linear_ops.h"
#include "core/train/loss_ops.h"
#include "core/train/named_parameters.h"
#include "core/train/norm_ops.h"
#include "core/train/pointwise_ops.h"
#include "core/train/token_ops.h"

#include <algorithm>
#include <cmath>

namespace tamis::train {
namespace {
using kernels::Activation;

/// Cosines and sines of all positions of a sequence, in the tape's memory.
template <class T> struct Angles {
    View<const T> cosines, sines;
};
template <class T> Angles<T> anglesOf(Tape<T>& tape, const nn::RopeSpec& rope, std::int64_t tokens)
{
    const nn::RotaryFrequencies turning = nn::rotaryFrequencies(rope, tokens);
    const auto pairs = static_cast<std::int64_t>(turning.frequencies.size());
    T *cosines = tape.template scratch<T>(tokens * pairs), *sines = tape.template scratch<T>(tokens * pairs);
    for (std::int64_t t = 0; t < tokens; ++t)
        for (std::int64_t i = 0; i < pairs; ++i) {
            const double angle = static_cast<double>(t) * turning.frequencies[static_cast<std::size_t>(i)];
            cosines[t * pairs + i] = static_cast<T>(turning.amplitude * std::cos(angle));
            sines[t * pairs + i] = static_cast<T>(turning.amplitude * std::sin(angle));
        }
    return {{cosines, tokens, pairs, pairs}, {sines, tokens, pairs, pairs}};
}

nn::Architecture readDecoder(const io::Checkpoint& checkpoint, const nn::TensorSource& source)
{
    nn::Architecture architecture = nn::readArchitecture(checkpoint.config(), source, {});
    const io::Family family = architecture.spec.family;
    if (family != io::Family::Llama && family != io::Family::Mistral && family != io::Family::Qwen2 && family != io::Family::Qwen3)
        throw Error(ErrorCode::UnsupportedFeature, "is a " + architecture.spec.architecture + ", expected a decoder of the LLaMA family for training",
                    checkpoint.path().string());
    return architecture;
}
} // namespace

template <class T> struct DecoderOnTape<T>::Content {
    nn::Architecture architecture;
    ParameterSet<T> parameters;

    const nn::ModelSpec& spec() const { return architecture.spec; }
    Variable<T> named(Tape<T>& tape, const std::string& name) { return leafNamed(tape, parameters, name); }
    void readBlock(const nn::TensorSource& source, std::size_t index)
    {
        const nn::BlockSpec& block = spec().blocks[index];
        const nn::BlockNames& names = architecture.names.blocks[index];
        const nn::AttentionSpec& at = block.attention;
        const std::int64_t d = block.width, queries = at.heads * at.headDim, keys = at.keyValueHeads * at.headDim;
        readNorm(parameters, source, names.attentionNorm, d);
        readLinear(parameters, source, names.query, queries, d);
        readLinear(parameters, source, names.key, keys, d);
        readLinear(parameters, source, names.value, keys, d);
        readLinear(parameters, source, names.output, d, queries);
        if (at.queryKeyNorm.kind != nn::NormKind::None) {
            readNorm(parameters, source, names.queryNorm, at.headDim);
            readNorm(parameters, source, names.keyNorm, at.headDim);
        }
        readNorm(parameters, source, names.mlpNorm, d);
        readLinear(parameters, source, names.gate, block.mlp.hidden, d);
        readLinear(parameters, source, names.up, block.mlp.hidden, d);
        readLinear(parameters, source, names.down, d, block.mlp.hidden);
    }
    void read(const nn::TensorSource& source, const RunContext& context)
    {
        const nn::ModelNames& names = architecture.names;
        readParameter(parameters, source, names.tokenEmbedding, spec().text.vocabulary, spec().width, true);
        for (std::size_t b = 0; b < spec().blocks.size(); ++b) {
            context.throwIfStopped();
            readBlock(source, b);
        }
        readNorm(parameters, source, names.finalNorm, spec().width);
        if (!spec().text.tiedHead)
            readLinear(parameters, source, names.head, spec().text.vocabulary, spec().width);
    }

    Variable<T> layer(Tape<T>& tape, const std::string& name, Variable<T> x, Variable<T> base, const ForwardHooks<T>& hooks)
    {
        return linearNamed(tape, parameters, name, x, hooks, base);
    }
    Variable<T> positioned(Tape<T>& tape, Variable<T> x, const std::string& norm, const nn::AttentionSpec& at, const Angles<T>& angles)
    {
        if (at.queryKeyNorm.kind != nn::NormKind::None)
            x = headRmsNorm(x, named(tape, norm + ".weight"), static_cast<double>(at.queryKeyNorm.epsilon));
        return rotary<T>(x, angles.cosines, angles.sines, at.headDim);
    }
    Variable<T> block(Tape<T>& tape, std::size_t index, Variable<T> x, std::int64_t sequences, const Angles<T>& angles, const ForwardHooks<T>& hooks)
    {
        const nn::BlockSpec& s = spec().blocks[index];
        const nn::BlockNames& names = architecture.names.blocks[index];
        const nn::AttentionSpec& at = s.attention;
        const auto epsilon = static_cast<double>(s.norm.epsilon);
        const Variable<T> y = rmsNorm(x, named(tape, names.attentionNorm + ".weight"), epsilon);
        const Variable<T> q = positioned(tape, layer(tape, names.query, y, {}, hooks), names.queryNorm, at, angles);
        const Variable<T> k = positioned(tape, layer(tape, names.key, y, {}, hooks), names.keyNorm, at, angles);
        const Variable<T> v = layer(tape, names.value, y, {}, hooks);
        const AttentionShape shape{.sequences = sequences, .heads = at.heads, .keyValueHeads = at.keyValueHeads, .scale = static_cast<double>(at.scale),
                                   .causal = true, .window = at.slidingWindow};
        Variable<T> mixed = hooks.replaceAttention ? hooks.replaceAttention(index, {y, q, k, v, sequences}) : Variable<T>{};
        if (!mixed)
            mixed = attention(q, k, v, shape);
        x = layer(tape, names.output, mixed, x, hooks);
        const Variable<T> z = rmsNorm(x, named(tape, names.mlpNorm + ".weight"), epsilon);
        const Variable<T> gate = layer(tape, names.gate, z, {}, hooks), up = layer(tape, names.up, z, {}, hooks);
        return layer(tape, names.down, gatedProduct(gate, up, s.mlp.activation), x, hooks);
    }
};

template <class T> DecoderOnTape<T>::DecoderOnTape(std::unique_ptr<Content> content) : m_content(std::move(content)) {}
template <class T> DecoderOnTape<T>::DecoderOnTape(DecoderOnTape&&) noexcept = default;
template <class T> DecoderOnTape<T>& DecoderOnTape<T>::operator=(DecoderOnTape&&) noexcept = default;
template <class T> DecoderOnTape<T>::~DecoderOnTape() = default;
template <class T> const nn::ModelSpec& DecoderOnTape<T>::spec() const noexcept { return m_content->spec(); }
template <class T> ParameterSet<T>& DecoderOnTape<T>::parameters() noexcept { return m_content->parameters; }
template <class T> const ParameterSet<T>& DecoderOnTape<T>::parameters() const noexcept { return m_content->parameters; }

template <class T> DecoderOnTape<T> DecoderOnTape<T>::load(const io::Checkpoint& checkpoint, const RunContext& context)
{
    const nn::CheckpointSource source(checkpoint);
    auto content = std::make_unique<Content>();
    content->architecture = readDecoder(checkpoint, source);
    content->read(source, context);
    return DecoderOnTape(std::move(content));
}

template <class T>
Variable<T> DecoderOnTape<T>::logits(Tape<T>& tape, std::span<const std::int32_t> ids, std::int64_t sequences, const ForwardHooks<T>& hooks)
{
    Content& content = *m_content;
    require(sequences > 0 && !ids.empty() && static_cast<std::int64_t>(ids.size()) % sequences == 0, "decoder", "the ids must be sequences of equal length");
    const std::int64_t tokens = static_cast<std::int64_t>(ids.size()) / sequences;
    const nn::ModelNames& names = content.architecture.names;
    const Variable<T> embedding = content.named(tape, names.tokenEmbedding);
    Variable<T> x = gatherRows(embedding, ids);
    const Angles<T> angles = anglesOf(tape, content.spec().blocks.front().attention.rope, tokens); // all blocks of a family turn alike
    for (std::size_t b = 0; b < content.spec().blocks.size(); ++b) {
        x = content.block(tape, b, x, sequences, angles, hooks);
        if (hooks.observeBlock)
            hooks.observeBlock(b, x);
    }
    x = rmsNorm(x, content.named(tape, names.finalNorm + ".weight"), static_cast<double>(content.spec().finalNorm.epsilon));
    return content.spec().text.tiedHead ? linear(x, embedding) : content.layer(tape, names.head, x, {}, hooks);
}

std::vector<std::int32_t> nextTokens(std::span<const std::int32_t> ids, std::int64_t sequences)
{
    require(sequences > 0 && static_cast<std::int64_t>(ids.size()) % sequences == 0, "next tokens", "the ids must be sequences of equal length");
    const std::size_t length = ids.size() / static_cast<std::size_t>(sequences);
    std::vector<std::int32_t> labels(ids.size(), kIgnored);
    for (std::size_t i = 0; i + 1 < ids.size(); ++i)
        if ((i + 1) % length != 0)
            labels[i] = ids[i + 1];
    return labels;
}

template class DecoderOnTape<float>;
template class DecoderOnTape<double>;

} // namespace tamis::train
