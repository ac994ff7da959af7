// SPDX-License-Identifier: GPL-3.0-or-later
// BERT and RoBERTa: bidirectional encoders with the norm after each branch.
#include "core/base/error.h"
#include "core/io/json_limits.h"
#include "core/nn/architecture.h"

#include <cmath>

namespace tamis::nn {

namespace {
BlockNames blockNames(const std::string& p)
{
    BlockNames n;
    n.attentionNorm = p + "attention.output.LayerNorm";
    n.mlpNorm = p + "output.LayerNorm";
    n.query = p + "attention.self.query";
    n.key = p + "attention.self.key";
    n.value = p + "attention.self.value";
    n.output = p + "attention.output.dense";
    n.up = p + "intermediate.dense";
    n.down = p + "output.dense";
    return n;
}

/// What the checkpoint ends in: a masked-language head, a sequence classifier, a pooler, or bare features.
void readHead(Architecture& a, const TensorSource& source, const std::string& prefix, const ConfigReader& config, const NormSpec& norm)
{
    ModelSpec& s = a.spec;
    const kernels::Activation activation = config.activation({"hidden_act"}, kernels::Activation::Gelu);
    for (const auto& [transform, poolNorm, head, bias] :
         {std::array{"cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.decoder", "cls.predictions.bias"},
          std::array{"lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias"}})
        if (hasOperator(source, transform)) {
            s.task = Task::MaskedLanguage;
            s.pool = Pool::None;
            s.pooler = true;
            a.transformActivation = transform[0] == 'c' ? activation : kernels::Activation::Gelu; // RoBERTa's is fixed
            s.poolNorm = norm;
            a.names.transform = transform;
            a.names.poolNorm = poolNorm;
            a.names.head = head;
            a.names.headBias = bias;
            s.text.tiedHead = !hasOperator(source, head);
            s.headBias = true;
            s.classes = s.text.vocabulary;
            return;
        }
    const std::string pooler = hasOperator(source, "classifier.dense") ? "classifier.dense" : prefix + "pooler.dense";
    s.pool = Pool::ClassToken;
    s.pooler = hasOperator(source, pooler);
    a.transformActivation = kernels::Activation::Tanh;
    a.names.transform = s.pooler ? pooler : "";
    a.names.head = hasOperator(source, "classifier.out_proj") ? "classifier.out_proj" : "classifier";
    s.classes = operatorOutputs(source, a.names.head, config.entries("id2label"));
    s.headBias = source.has(a.names.head + ".bias");
    s.task = s.classes > 0 ? Task::SequenceClassification : Task::TextFeatures;
    if (s.classes == 0 && !s.pooler)
        s.pool = Pool::None;
}
} // namespace

std::optional<Architecture> readBert(const ConfigReader& config, const TensorSource& source)
{
    std::string prefix;
    bool found = false;
    for (const char* candidate : {"bert.", "roberta.", ""})
        if (!found && source.has(std::string(candidate) + "embeddings.word_embeddings.weight")) {
            prefix = candidate;
            found = true;
        }
    if (!found || !hasOperator(source, prefix + "encoder.layer.0.attention.self.query"))
        return std::nullopt;
    const std::string positions = config.text({"position_embedding_type"});
    if (!positions.empty() && positions != "absolute")
        throw Error(ErrorCode::UnsupportedFeature, "position_embedding_type is " + io::quotedName(positions) + ", expected absolute", "config.json");
    for (const std::string& name : config.texts({"architectures"}))
        for (const char* task : {"ForTokenClassification", "ForQuestionAnswering", "ForMultipleChoice", "ForNextSentencePrediction", "LMHeadModel"})
            if (name.ends_with(task))
                throw Error(ErrorCode::UnsupportedFeature, "is a " + io::quotedName(name) + ", expected a classifier of sequences, a masked language model or a bare encoder", "config.json");
    if (config.flag({"is_decoder"}, false))
        throw Error(ErrorCode::UnsupportedFeature, "is_decoder is true, which Tamis does not run in BERT", "config.json");
    Architecture a;
    ModelSpec& s = a.spec;
    s.family = io::Family::Bert;
    const auto architectures = config.texts({"architectures"});
    s.architecture = architectures.empty() ? config.text({"model_type"}) : architectures[0];
    s.width = config.required({"hidden_size"});
    s.text.vocabulary = config.required({"vocab_size"});
    s.text.maxPositions = config.required({"max_position_embeddings"});
    s.text.learnedPositions = true;
    s.text.embeddingNorm = true;
    s.text.tokenTypes = config.integer({"type_vocab_size"}, 0);
    if (prefix == "roberta." || config.text({"model_type"}) == "roberta" || config.text({"model_type"}) == "xlm-roberta") {
        s.text.positionOffset = config.integer({"pad_token_id"}, 1) + 1;
        s.text.maxPositions -= s.text.positionOffset;
    }
    const NormSpec norm{NormKind::LayerNorm, static_cast<float>(config.number({"layer_norm_eps"}, 1e-12)), true};
    const std::int64_t heads = config.required({"num_attention_heads"});
    if (s.width % heads != 0)
        throw Error(ErrorCode::MalformedFile, "a width of " + std::to_string(s.width) + " is not a multiple of " + std::to_string(heads) + " heads", "config.json");
    for (std::int64_t i = 0; i < config.depth({"num_hidden_layers"}); ++i) {
        BlockSpec block;
        block.width = s.width;
        block.attention.heads = block.attention.keyValueHeads = heads;
        block.attention.headDim = s.width / heads;
        block.attention.scale = 1.0f / std::sqrt(static_cast<float>(block.attention.headDim));
        block.attention.qkvBias = block.attention.outputBias = true;
        block.mlp = {config.required({"intermediate_size"}), false, true, config.activation({"hidden_act"}, kernels::Activation::Gelu)};
        block.norm = norm;
        block.postNorm = true;
        s.blocks.push_back(block);
        a.names.blocks.push_back(blockNames(prefix + "encoder.layer." + std::to_string(i) + "."));
    }
    s.preNorm = norm; // of the sum of embeddings
    s.finalNorm = {NormKind::None};
    a.names.tokenEmbedding = prefix + "embeddings.word_embeddings.weight";
    a.names.positions = prefix + "embeddings.position_embeddings.weight";
    a.names.tokenTypes = s.text.tokenTypes > 0 ? prefix + "embeddings.token_type_embeddings.weight" : "";
    a.names.preNorm = prefix + "embeddings.LayerNorm";
    readHead(a, source, prefix, config, norm);
    return a;
}

Architecture readArchitecture(const io::ModelConfig& config, const TensorSource& source, ImageSize size)
{
    const ConfigReader reader(config);
    for (const auto read : {readTimmVit, readDinov3Vit, readBeit, readHfVit, readClipVision, readSwin})
        if (std::optional<Architecture> found = read(reader, source, size))
            return *std::move(found);
    for (const auto read : {readGpt2, readOpt, readBert, readLlama})
        if (std::optional<Architecture> found = read(reader, source))
            return *std::move(found);
    throw Error(ErrorCode::UnsupportedFeature,
                "has tensor names of no family that Tamis runs, expected ViT, DeiT, DINOv2, DINOv3, BEiT, CLIP vision, Swin, LLaMA, Mistral, Qwen2, Qwen3, GPT-2, OPT or BERT", source.subject());
}

} // namespace tamis::nn
