// SPDX-License-Identifier: GPL-3.0-or-later
// DINOv3's vision transformers as Hugging Face writes them (Simeoni et al. 2025, arXiv 2508.10104): register tokens, rotary positions of patches.
#include "core/base/error.h"
#include "core/io/json_limits.h"
#include "core/nn/vit_parts.h"

namespace tamis::nn {

namespace {
BlockNames blockNames(const std::string& p)
{
    BlockNames n;
    n.attentionNorm = p + "norm1";
    n.mlpNorm = p + "norm2";
    n.query = p + "attention.q_proj";
    n.key = p + "attention.k_proj";
    n.value = p + "attention.v_proj";
    n.output = p + "attention.o_proj";
    n.gate = p + "mlp.gate_proj";
    n.up = p + "mlp.up_proj";
    n.down = p + "mlp.down_proj";
    n.attentionScale = p + "layer_scale1.lambda1";
    n.mlpScale = p + "layer_scale2.lambda1";
    return n;
}

RopeSpec readRope(const ConfigReader& config, std::int64_t headDim)
{
    const std::string type = config.text({"rope_parameters.rope_type"});
    if (!type.empty() && type != "default")
        throw Error(ErrorCode::UnsupportedFeature, "rope_type is " + io::quotedName(type) + ", expected default for patches", "config.json");
    RopeSpec rope;
    rope.enabled = true;
    rope.theta = config.number({"rope_parameters.rope_theta", "rope_theta"}, 100.0);
    rope.dimensions = headDim;
    if (!(rope.theta > 1) || headDim % 4 != 0)
        throw Error(ErrorCode::MalformedFile, "has rotary positions with theta " + std::to_string(rope.theta) + " over heads of " + std::to_string(headDim) +
                                                  " features, expected theta above 1 and a multiple of 4", "config.json");
    return rope;
}

std::optional<std::string> prefixOf(const TensorSource& source)
{
    for (const char* prefix : {"", "dinov3_vit."})
        if (source.has(std::string(prefix) + "embeddings.patch_embeddings.weight") && hasOperator(source, std::string(prefix) + "layer.0.attention.q_proj"))
            return prefix;
    return std::nullopt;
}
} // namespace

std::optional<Architecture> readDinov3Vit(const ConfigReader& config, const TensorSource& source, ImageSize size)
{
    const std::optional<std::string> found = prefixOf(source);
    if (!found)
        return std::nullopt;
    const std::string& prefix = *found;
    Architecture a;
    ModelSpec& s = a.spec;
    s.family = io::Family::HfVit;
    const auto architectures = config.texts({"architectures"});
    s.architecture = architectures.empty() ? config.text({"model_type"}) : architectures[0];
    s.width = config.required({"hidden_size"});
    s.patch.channels = config.integer({"num_channels"}, 3);
    s.patch.classToken = true;
    s.patch.registerTokens = config.integer({"num_register_tokens"}, 0);
    s.patch.prefixTokens = 1 + s.patch.registerTokens;
    s.patch.positions = s.patch.positionsOnPrefix = false;
    s.patch.bias = source.has(prefix + "embeddings.patch_embeddings.bias");
    setPatches(s, sizePair(config.integers({"image_size"}), "image_size"), sizePair(config.integers({"patch_size"}), "patch_size"), size);

    const NormSpec norm{NormKind::LayerNorm, static_cast<float>(config.number({"layer_norm_eps"}, 1e-5)), true};
    const kernels::Activation activation = config.activation({"hidden_act"}, kernels::Activation::Gelu);
    const std::int64_t heads = config.required({"num_attention_heads"}), hidden = config.required({"intermediate_size"});
    for (std::int64_t i = 0; i < config.depth({"num_hidden_layers"}); ++i) {
        BlockSpec block = plainBlock(s, heads, hidden, activation, norm);
        BlockNames n = blockNames(prefix + "layer." + std::to_string(i) + ".");
        block.attention.qkvBias = source.has(n.query + ".bias"); // of q and v; k has none
        block.attention.outputBias = source.has(n.output + ".bias");
        block.attention.rope = readRope(config, block.attention.headDim);
        block.mlp.gated = config.flag({"use_gated_mlp"}, false);
        block.mlp.bias = source.has(n.up + ".bias");
        block.layerScale = source.has(n.attentionScale);
        s.blocks.push_back(block);
        a.names.blocks.push_back(std::move(n));
    }
    s.finalNorm = norm;
    const bool classifier = hasOperator(source, "classifier"); // on the class token beside the mean of the patches, as the authors' own linear heads
    s.pool = classifier ? Pool::ClassAndMean : Pool::ClassToken;
    s.classes = classifier ? operatorOutputs(source, "classifier", config.entries("id2label")) : 0;
    s.headBias = source.has("classifier.bias");
    s.task = s.classes > 0 ? Task::ImageClassification : Task::ImageFeatures;
    a.names.classToken = prefix + "embeddings.cls_token";
    a.names.registerTokens = prefix + "embeddings.register_tokens";
    a.names.patch = prefix + "embeddings.patch_embeddings";
    a.names.finalNorm = prefix + "norm";
    a.names.head = "classifier";
    return a;
}

} // namespace tamis::nn
