// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/nn/model.h"

#include "core/base/error.h"
#include "core/nn/model_content.h"

#include <algorithm>

namespace tamis::nn {

std::string_view taskName(Task task) noexcept
{
    switch (task) {
    case Task::ImageClassification: return "image classification";
    case Task::ImageFeatures: return "image features";
    case Task::CausalLanguage: return "causal language";
    case Task::MaskedLanguage: return "masked language";
    case Task::SequenceClassification: return "sequence classification";
    case Task::TextFeatures: return "text features";
    }
    return "unknown";
}

std::int64_t ModelSpec::tokens(std::int64_t textTokens) const noexcept
{
    return vision() ? patch.prefixTokens + patch.gridHeight * patch.gridWidth : textTokens;
}

Model::Model(std::shared_ptr<const Content> content) : m_content(std::move(content)) {}
Model::~Model() = default;

std::shared_ptr<const Model> Model::load(const io::Checkpoint& checkpoint, const RunContext& context, std::int64_t imageHeight, std::int64_t imageWidth)
{
    return load(checkpoint.config(), CheckpointSource(checkpoint), context, imageHeight, imageWidth);
}

std::shared_ptr<const Model> Model::load(const io::ModelConfig& config, const TensorSource& source, const RunContext& context, std::int64_t imageHeight,
                                         std::int64_t imageWidth)
{
    Architecture architecture = readArchitecture(config, source, {imageHeight, imageWidth});
    return std::shared_ptr<const Model>(new Model(buildContent(std::move(architecture), source, context)));
}

const ModelSpec& Model::spec() const noexcept { return m_content->spec; }
const std::vector<Block>& Model::blocks() const noexcept { return m_content->blocks; }
const Norm& Model::finalNorm() const noexcept { return m_content->finalNorm; }
const LinearSlot& Model::head() const noexcept { return m_content->head; }

const tensor::Matrix<float>& Model::tokenEmbedding() const noexcept
{
    static const tensor::Matrix<float> kNone;
    return m_content->tokenEmbedding ? *m_content->tokenEmbedding : kNone;
}

std::vector<const LinearSlot*> Model::linears() const
{
    const std::vector<LinearSlot*> slots = const_cast<Content&>(*m_content).slots(); // only read
    return {slots.begin(), slots.end()};
}

const LinearSlot* Model::find(std::string_view name) const
{
    for (const LinearSlot* slot : linears())
        if (slot->name == name)
            return slot;
    return nullptr;
}

std::shared_ptr<const Model> Model::replaced(const std::vector<Replacement>& replacements) const
{
    auto content = std::make_shared<Content>(*m_content);
    const std::vector<LinearSlot*> slots = content->slots();
    for (const Replacement& r : replacements) {
        const auto slot = std::find_if(slots.begin(), slots.end(), [&](const LinearSlot* s) { return s->name == r.name; });
        if (slot == slots.end())
            throw Error(ErrorCode::InvalidParameter, "the model has no linear operator " + r.name);
        const LinearOp& old = *(*slot)->op;
        if (!r.op || r.op->inFeatures() != old.inFeatures() || r.op->outFeatures() != old.outFeatures())
            throw Error(ErrorCode::InvalidParameter, "an operator of [" + std::to_string(r.op ? r.op->outFeatures() : 0) + ", " + std::to_string(r.op ? r.op->inFeatures() : 0) +
                                                         "] cannot replace " + r.name + ", which is [" + std::to_string(old.outFeatures()) + ", " + std::to_string(old.inFeatures()) + "]");
        (*slot)->op = r.op;
    }
    return std::shared_ptr<const Model>(new Model(std::move(content)));
}

std::shared_ptr<const Model> Model::withAttention(int block, AttentionPtr attention) const
{
    auto content = std::make_shared<Content>(*m_content);
    if (block < 0 || static_cast<std::size_t>(block) >= content->blocks.size() || !attention)
        throw Error(ErrorCode::InvalidParameter, "the model has no block " + std::to_string(block) + " to give an attention to");
    Block& b = content->blocks[static_cast<std::size_t>(block)];
    if (attention->heads() != b.attention->heads() || attention->headDim() != b.attention->headDim())
        throw Error(ErrorCode::InvalidParameter, "an attention of " + std::to_string(attention->heads()) + " heads of " + std::to_string(attention->headDim()) +
                                                     " does not fit block " + std::to_string(block));
    b.attention = std::move(attention);
    return std::shared_ptr<const Model>(new Model(std::move(content)));
}

std::int64_t Model::outputRows(const Sample& sample) const
{
    return spec().pool != Pool::None ? 1 : embeddedTokens(sample);
}

std::int64_t Model::outputWidth() const noexcept
{
    const Content& c = *m_content;
    if (c.head)
        return c.head.op->outFeatures();
    if (c.transform)
        return c.transform.op->outFeatures();
    return c.spec.blocks.back().width * (c.spec.pool == Pool::ClassAndMean ? 2 : 1);
}

std::int64_t Model::embeddedTokens(const Sample& sample) const
{
    return spec().tokens(static_cast<std::int64_t>(sample.tokens.size()));
}

void Model::check(const Sample& sample) const
{
    const auto fail = [](const std::string& sentence) { throw Error(ErrorCode::InvalidParameter, sentence); };
    const ModelSpec& s = spec();
    if (s.vision()) {
        const PatchSpec& p = s.patch;
        if (static_cast<std::int64_t>(sample.image.size()) != p.channels * p.imageHeight * p.imageWidth)
            fail("an image of " + std::to_string(sample.image.size()) + " numbers does not fit the model, which takes " + std::to_string(p.channels) + " x " +
                 std::to_string(p.imageHeight) + " x " + std::to_string(p.imageWidth));
        return;
    }
    const auto count = static_cast<std::int64_t>(sample.tokens.size());
    if (count == 0)
        fail("a sequence without tokens cannot be run");
    if (s.text.learnedPositions && count > s.text.maxPositions)
        fail("a sequence of " + std::to_string(count) + " tokens is longer than the model's " + std::to_string(s.text.maxPositions) + " positions");
    for (std::size_t i = 0; i < sample.tokens.size(); ++i)
        if (sample.tokens[i] < 0 || sample.tokens[i] >= s.text.vocabulary)
            fail("token id " + std::to_string(sample.tokens[i]) + " at position " + std::to_string(i) + " is beyond the vocabulary of " + std::to_string(s.text.vocabulary));
    if (!sample.tokenTypes.empty() && sample.tokenTypes.size() != sample.tokens.size())
        fail("a sequence has " + std::to_string(sample.tokens.size()) + " tokens and " + std::to_string(sample.tokenTypes.size()) + " token types");
    for (const std::int32_t type : sample.tokenTypes)
        if (type < 0 || type >= s.text.tokenTypes)
            fail("token type " + std::to_string(type) + " is beyond the model's " + std::to_string(s.text.tokenTypes));
}


} // namespace tamis::nn
