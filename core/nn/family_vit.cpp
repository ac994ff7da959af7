// SPDX-License-Identifier: GPL-3.0-or-later
// Vision Transformers as timm and Hugging Face write them.
#include "core/base/error.h"
#include "core/nn/vit_parts.h"

namespace tamis::nn {

namespace {
BlockNames timmBlock(const std::string& p)
{
    BlockNames n;
    n.attentionNorm = p + "norm1";
    n.mlpNorm = p + "norm2";
    n.qkv = p + "attn.qkv";
    n.output = p + "attn.proj";
    n.queryNorm = p + "attn.q_norm";
    n.keyNorm = p + "attn.k_norm";
    n.up = p + "mlp.fc1";
    n.down = p + "mlp.fc2";
    n.attentionScale = p + "ls1.gamma";
    n.mlpScale = p + "ls2.gamma";
    return n;
}

void refuseTimm(const TensorSource& source)
{
    for (const auto& [tensor, what] : {std::pair{"blocks.0.mlp.fc1_g.weight", "a gated MLP (SwiGLU)"}, {"blocks.0.mlp.norm.weight", "a norm inside the MLP"},
                                       {"blocks.0.attn.relative_position_bias_table", "relative position bias (BEiT)"}, {"attn_pool.latent", "attention pooling"},
                                       {"rope.periods", "rotary patch positions"}, {"blocks.0.attn.norm.weight", "a norm before the output projection"}})
        if (source.has(tensor))
            throw Error(ErrorCode::UnsupportedFeature, std::string("has ") + what + ", which Tamis does not run", source.subject());
}

struct TimmPool {
    Pool pool;
    bool ownNorm;
};

TimmPool timmPool(const ConfigReader& config, const TensorSource& source, const PatchSpec& patch)
{
    const std::string pool = config.text({"global_pool", "model_args.global_pool"});
    if (!pool.empty() && pool != "token" && pool != "avg")
        throw Error(ErrorCode::UnsupportedFeature, "global_pool is \"" + pool + "\", expected token or avg", "config.json");
    return {pool == "avg" || (pool.empty() && patch.prefixTokens == 0) ? Pool::Mean : Pool::ClassToken, source.has("fc_norm.weight")};
}
} // namespace

std::optional<Architecture> readTimmVit(const ConfigReader& config, const TensorSource& source, ImageSize size)
{
    if (!source.has("patch_embed.proj.weight") || !hasOperator(source, "blocks.0.attn.qkv"))
        return std::nullopt;
    refuseTimm(source);
    Architecture a;
    ModelSpec& s = a.spec;
    s.family = io::Family::TimmVit;
    s.architecture = config.text({"architecture"});
    s.width = config.required({"embed_dim", "model_args.embed_dim", "num_features", "hidden_size"});
    const std::int64_t depth = config.depth({"depth", "model_args.depth", "num_hidden_layers"});
    const std::int64_t heads = config.required({"num_heads", "model_args.num_heads", "num_attention_heads"});
    s.patch.channels = config.integer({"in_chans", "model_args.in_chans", "num_channels"}, 3);
    s.patch.classToken = source.has("cls_token");
    s.patch.distillationToken = source.has("dist_token");
    s.patch.registerTokens = source.has("reg_token") ? config.required({"reg_tokens", "model_args.reg_tokens"}) : 0;
    s.patch.prefixTokens = s.patch.classToken + s.patch.distillationToken + s.patch.registerTokens;
    s.patch.positionsOnPrefix = !config.flag({"no_embed_class", "model_args.no_embed_class"}, false);
    s.patch.bias = source.has("patch_embed.proj.bias");
    setPatches(s, sizePair(config.integers({"image_size", "img_size", "model_args.img_size", "pretrained_cfg.input_size"}), "image_size"),
               sizePair(config.integers({"patch_size", "model_args.patch_size"}), "patch_size"), size);
    const std::int64_t grid = s.patch.tableHeight * s.patch.tableWidth + (s.patch.positionsOnPrefix ? s.patch.prefixTokens : 0);
    const std::int64_t rows = tableRows(source, "pos_embed", s.width, grid);
    if (s.patch.prefixTokens == 0 && rows == grid + 1) { // the first row is the class token with its position already added
        s.patch.prefixTokens = 1;
    }
    fitTable(s, rows);

    const NormSpec norm{NormKind::LayerNorm, static_cast<float>(config.number({"layer_norm_eps", "model_args.norm_eps"}, 1e-6)), true};
    const kernels::Activation activation = config.activation({"hidden_act", "act_layer", "model_args.act_layer"}, kernels::Activation::Gelu);
    const auto hidden = config.multiple({"mlp_ratio", "model_args.mlp_ratio"}, s.width, 4.0);
    for (std::int64_t i = 0; i < depth; ++i) {
        BlockSpec block = plainBlock(s, heads, hidden, activation, norm);
        BlockNames n = timmBlock("blocks." + std::to_string(i) + ".");
        block.attention.fusedQkv = true;
        block.attention.qkvBias = source.has(n.qkv + ".bias");
        block.attention.outputBias = source.has(n.output + ".bias");
        if (source.has(n.queryNorm + ".weight"))
            block.attention.queryKeyNorm = {NormKind::LayerNorm, norm.epsilon, source.has(n.queryNorm + ".bias")};
        block.layerScale = source.has(n.attentionScale);
        if (!hasOperator(source, n.up))
            block.mlp.hidden = 0; // the whole branch is absent: the identity
        s.blocks.push_back(block);
        a.names.blocks.push_back(std::move(n));
    }
    const TimmPool pool = timmPool(config, source, s.patch);
    s.pool = pool.pool;
    s.preNorm = source.has("norm_pre.weight") ? norm : NormSpec{NormKind::None};
    s.finalNorm = source.has("norm.weight") ? norm : NormSpec{NormKind::None};
    s.poolNorm = pool.ownNorm ? norm : NormSpec{NormKind::None};
    s.classes = hasOperator(source, "head") ? config.required({"num_classes"}) : 0;
    s.headBias = source.has("head.bias");
    s.distillationHead = hasOperator(source, "head_dist");
    s.task = s.classes > 0 ? Task::ImageClassification : Task::ImageFeatures;
    a.names.classToken = "cls_token";
    a.names.distillationToken = "dist_token";
    a.names.registerTokens = "reg_token";
    a.names.positions = "pos_embed";
    a.names.patch = "patch_embed.proj";
    a.names.preNorm = "norm_pre";
    a.names.finalNorm = "norm";
    a.names.poolNorm = "fc_norm";
    a.names.head = "head";
    a.names.secondHead = "head_dist";
    return a;
}

namespace {
BlockNames hfBlock(const std::string& p, bool dino)
{
    BlockNames n;
    n.attentionNorm = p + (dino ? "norm1" : "layernorm_before");
    n.mlpNorm = p + (dino ? "norm2" : "layernorm_after");
    n.query = p + "attention.attention.query";
    n.key = p + "attention.attention.key";
    n.value = p + "attention.attention.value";
    n.output = p + "attention.output.dense";
    n.up = p + (dino ? "mlp.fc1" : "intermediate.dense");
    n.down = p + (dino ? "mlp.fc2" : "output.dense");
    n.attentionScale = p + "layer_scale1.lambda1";
    n.mlpScale = p + "layer_scale2.lambda1";
    return n;
}

std::string hfPrefix(const TensorSource& source)
{
    for (const char* prefix : {"vit.", "deit.", "dinov2.", "dinov2_with_registers.", ""})
        if (source.has(std::string(prefix) + "embeddings.patch_embeddings.projection.weight") && source.has(std::string(prefix) + "embeddings.cls_token"))
            return std::string(prefix) + "?";
    return {};
}
} // namespace

std::optional<Architecture> readHfVit(const ConfigReader& config, const TensorSource& source, ImageSize size)
{
    std::string prefix = hfPrefix(source);
    if (prefix.empty())
        return std::nullopt;
    prefix.pop_back();
    Architecture a;
    ModelSpec& s = a.spec;
    s.family = io::Family::HfVit;
    const auto architectures = config.texts({"architectures"});
    s.architecture = architectures.empty() ? config.text({"model_type"}) : architectures[0];
    s.width = config.required({"hidden_size"});
    s.patch.channels = config.integer({"num_channels"}, 3);
    s.patch.classToken = true;
    s.patch.distillationToken = source.has(prefix + "embeddings.distillation_token");
    s.patch.registerTokens = source.has(prefix + "embeddings.register_tokens") ? config.required({"num_register_tokens"}) : 0;
    s.patch.prefixTokens = 1 + s.patch.distillationToken;
    setPatches(s, sizePair(config.integers({"image_size"}), "image_size"), sizePair(config.integers({"patch_size"}), "patch_size"), size);
    const std::int64_t grid = s.patch.tableHeight * s.patch.tableWidth + s.patch.prefixTokens;
    fitTable(s, tableRows(source, prefix + "embeddings.position_embeddings", s.width, grid));
    if (s.patch.registerTokens > 0)
        throw Error(ErrorCode::UnsupportedFeature, "has register tokens in Hugging Face's layout, which Tamis does not run", source.subject());

    const bool dino = source.has(prefix + "encoder.layer.0.norm1.weight");
    if (config.flag({"use_swiglu_ffn"}, false))
        throw Error(ErrorCode::UnsupportedFeature, "use_swiglu_ffn is true, which Tamis does not run in DINOv2", "config.json");
    const NormSpec norm{NormKind::LayerNorm, static_cast<float>(config.number({"layer_norm_eps"}, dino ? 1e-6 : 1e-12)), true};
    const kernels::Activation activation = config.activation({"hidden_act"}, kernels::Activation::Gelu);
    const std::int64_t hidden = config.has("intermediate_size") ? config.required({"intermediate_size"}) : config.multiple({"mlp_ratio"}, s.width, 4.0);
    for (std::int64_t i = 0; i < config.depth({"num_hidden_layers"}); ++i) {
        BlockSpec block = plainBlock(s, config.required({"num_attention_heads"}), hidden, activation, norm);
        BlockNames n = hfBlock(prefix + "encoder.layer." + std::to_string(i) + ".", dino);
        block.attention.qkvBias = config.flag({"qkv_bias"}, true);
        block.attention.outputBias = true;
        block.layerScale = source.has(n.attentionScale);
        s.blocks.push_back(block);
        a.names.blocks.push_back(std::move(n));
    }
    s.finalNorm = norm;
    const bool teacher = hasOperator(source, "distillation_classifier");
    a.names.head = teacher ? "cls_classifier" : "classifier";
    s.distillationHead = teacher;
    s.pool = dino && hasOperator(source, "classifier") ? Pool::ClassAndMean : Pool::ClassToken;
    s.classes = operatorOutputs(source, a.names.head, config.entries("id2label"));
    s.headBias = source.has(a.names.head + ".bias");
    s.task = s.classes > 0 ? Task::ImageClassification : Task::ImageFeatures;
    a.names.secondHead = "distillation_classifier";
    a.names.classToken = prefix + "embeddings.cls_token";
    a.names.distillationToken = prefix + "embeddings.distillation_token";
    a.names.positions = prefix + "embeddings.position_embeddings";
    a.names.patch = prefix + "embeddings.patch_embeddings.projection";
    a.names.finalNorm = prefix + "layernorm";
    return a;
}

std::optional<Architecture> readClipVision(const ConfigReader& config, const TensorSource& source, ImageSize size)
{
    const std::string prefix = "vision_model.";
    if (!source.has(prefix + "embeddings.class_embedding"))
        return std::nullopt;
    if (source.has("text_model.embeddings.token_embedding.weight") && !config.has("vision_config"))
        throw Error(ErrorCode::UnsupportedFeature, "holds CLIP's text model and has no vision_config to read the vision model by", source.subject());
    Architecture a;
    ModelSpec& s = a.spec;
    s.family = io::Family::HfVit;
    s.architecture = "CLIPVisionModelWithProjection";
    s.width = config.required({"vision_config.hidden_size", "hidden_size"});
    s.patch.channels = config.integer({"vision_config.num_channels", "num_channels"}, 3);
    s.patch.classToken = true;
    s.patch.prefixTokens = 1;
    s.patch.bias = source.has(prefix + "embeddings.patch_embedding.bias");
    setPatches(s, sizePair(config.integers({"vision_config.image_size", "image_size"}), "image_size"),
               sizePair(config.integers({"vision_config.patch_size", "patch_size"}), "patch_size"), size);
    fitTable(s, tableRows(source, prefix + "embeddings.position_embedding.weight", s.width, 1 + s.patch.tableHeight * s.patch.tableWidth));
    const NormSpec norm{NormKind::LayerNorm, static_cast<float>(config.number({"vision_config.layer_norm_eps", "layer_norm_eps"}, 1e-5)), true};
    const kernels::Activation activation = config.activation({"vision_config.hidden_act", "hidden_act"}, kernels::Activation::QuickGelu);
    for (std::int64_t i = 0; i < config.depth({"vision_config.num_hidden_layers", "num_hidden_layers"}); ++i) {
        BlockSpec block = plainBlock(s, config.required({"vision_config.num_attention_heads", "num_attention_heads"}),
                                     config.required({"vision_config.intermediate_size", "intermediate_size"}), activation, norm);
        block.attention.qkvBias = block.attention.outputBias = true;
        s.blocks.push_back(block);
        const std::string p = prefix + "encoder.layers." + std::to_string(i) + ".";
        BlockNames n;
        n.attentionNorm = p + "layer_norm1";
        n.mlpNorm = p + "layer_norm2";
        n.query = p + "self_attn.q_proj";
        n.key = p + "self_attn.k_proj";
        n.value = p + "self_attn.v_proj";
        n.output = p + "self_attn.out_proj";
        n.up = p + "mlp.fc1";
        n.down = p + "mlp.fc2";
        a.names.blocks.push_back(std::move(n));
    }
    s.preNorm = norm;
    s.finalNorm = norm; // the checkpoint norms the class token only: the same numbers
    s.task = Task::ImageFeatures;
    s.classes = operatorOutputs(source, "visual_projection", config.integer({"projection_dim"}, s.width));
    a.names.head = "visual_projection";
    a.names.classToken = prefix + "embeddings.class_embedding";
    a.names.positions = prefix + "embeddings.position_embedding.weight";
    a.names.patch = prefix + "embeddings.patch_embedding";
    a.names.preNorm = prefix + "pre_layrnorm";
    a.names.finalNorm = prefix + "post_layernorm";
    return a;
}

} // namespace tamis::nn
