// SPDX-License-Identifier: GPL-3.0-or-later
// GPT-2 and OPT.
#include "core/base/error.h"
#include "core/nn/architecture.h"

#include <cmath>

namespace tamis::nn {

namespace {
BlockSpec causalBlock(std::int64_t width, std::int64_t heads, std::int64_t hidden, kernels::Activation activation, const NormSpec& norm)
{
    if (width % heads != 0)
        throw Error(ErrorCode::MalformedFile, "a width of " + std::to_string(width) + " is not a multiple of " + std::to_string(heads) + " heads", "config.json");
    BlockSpec block;
    block.width = width;
    block.attention.heads = block.attention.keyValueHeads = heads;
    block.attention.headDim = width / heads;
    block.attention.scale = 1.0f / std::sqrt(static_cast<float>(block.attention.headDim));
    block.attention.causal = true;
    block.mlp.hidden = hidden;
    block.mlp.activation = activation;
    block.norm = norm;
    return block;
}
} // namespace

std::optional<Architecture> readGpt2(const ConfigReader& config, const TensorSource& source)
{
    std::string prefix = "transformer.";
    if (!source.has(prefix + "wte.weight")) {
        prefix.clear();
        if (!source.has("wte.weight"))
            return std::nullopt;
    }
    if (!source.has(prefix + "wpe.weight") || !hasOperator(source, prefix + "h.0.attn.c_attn"))
        return std::nullopt;
    Architecture a;
    a.transposed = true;
    ModelSpec& s = a.spec;
    s.family = io::Family::Gpt2;
    s.architecture = "GPT2LMHeadModel";
    s.width = config.required({"n_embd", "hidden_size"});
    s.text.vocabulary = config.required({"vocab_size"});
    s.text.maxPositions = config.required({"n_positions", "n_ctx", "max_position_embeddings"});
    s.text.learnedPositions = true;
    const NormSpec norm{NormKind::LayerNorm, static_cast<float>(config.number({"layer_norm_epsilon"}, 1e-5)), true};
    for (std::int64_t i = 0; i < config.depth({"n_layer", "num_hidden_layers"}); ++i) {
        const std::int64_t inner = config.integer({"n_inner"}, 0);
        BlockSpec block = causalBlock(s.width, config.required({"n_head", "num_attention_heads"}), inner > 0 ? inner : 4 * s.width,
                                      config.activation({"activation_function"}, kernels::Activation::GeluTanh), norm);
        block.attention.fusedQkv = block.attention.qkvBias = block.attention.outputBias = block.mlp.bias = true;
        if (!config.flag({"scale_attn_weights"}, true))
            block.attention.scale = 1;
        if (config.flag({"scale_attn_by_inverse_layer_idx"}, false))
            block.attention.scale /= static_cast<float>(i + 1);
        s.blocks.push_back(block);
        const std::string p = prefix + "h." + std::to_string(i) + ".";
        BlockNames n;
        n.attentionNorm = p + "ln_1";
        n.mlpNorm = p + "ln_2";
        n.qkv = p + "attn.c_attn";
        n.output = p + "attn.c_proj";
        n.up = p + "mlp.c_fc";
        n.down = p + "mlp.c_proj";
        a.names.blocks.push_back(std::move(n));
    }
    s.finalNorm = norm;
    s.pool = Pool::None;
    s.task = Task::CausalLanguage;
    s.text.tiedHead = !hasOperator(source, "lm_head") || config.flag({"tie_word_embeddings"}, true);
    s.classes = s.text.vocabulary;
    a.names.tokenEmbedding = prefix + "wte.weight";
    a.names.positions = prefix + "wpe.weight";
    a.names.finalNorm = prefix + "ln_f";
    a.names.head = "lm_head";
    return a;
}

std::optional<Architecture> readOpt(const ConfigReader& config, const TensorSource& source)
{
    std::string prefix = "model.decoder.";
    for (const char* candidate : {"decoder.", ""}) {
        if (source.has(prefix + "embed_positions.weight"))
            break;
        prefix = candidate;
    }
    if (!source.has(prefix + "embed_positions.weight") || !hasOperator(source, prefix + "layers.0.self_attn.out_proj"))
        return std::nullopt;
    Architecture a;
    ModelSpec& s = a.spec;
    s.family = io::Family::Opt;
    s.architecture = "OPTForCausalLM";
    s.width = config.required({"hidden_size"});
    s.text.vocabulary = config.required({"vocab_size"});
    s.text.maxPositions = config.required({"max_position_embeddings"});
    s.text.learnedPositions = true;
    s.text.positionOffset = 2;
    const std::int64_t embedding = config.integer({"word_embed_proj_dim"}, s.width);
    s.text.embeddingWidth = embedding != s.width ? embedding : 0;
    const bool before = config.flag({"do_layer_norm_before"}, true);
    if (!config.flag({"layer_norm_elementwise_affine"}, true))
        throw Error(ErrorCode::UnsupportedFeature, "layer_norm_elementwise_affine is false, which Tamis does not run", "config.json");
    const NormSpec norm{NormKind::LayerNorm, 1e-5f, true};
    for (std::int64_t i = 0; i < config.depth({"num_hidden_layers"}); ++i) {
        BlockSpec block = causalBlock(s.width, config.required({"num_attention_heads"}), config.required({"ffn_dim"}),
                                      config.activation({"activation_function"}, kernels::Activation::Relu), norm);
        block.postNorm = !before;
        const std::string p = prefix + "layers." + std::to_string(i) + ".";
        BlockNames n;
        n.attentionNorm = p + "self_attn_layer_norm";
        n.mlpNorm = p + "final_layer_norm";
        n.query = p + "self_attn.q_proj";
        n.key = p + "self_attn.k_proj";
        n.value = p + "self_attn.v_proj";
        n.output = p + "self_attn.out_proj";
        n.up = p + "fc1";
        n.down = p + "fc2";
        block.attention.qkvBias = source.has(n.query + ".bias");
        block.attention.outputBias = source.has(n.output + ".bias");
        block.mlp.bias = source.has(n.up + ".bias");
        s.blocks.push_back(block);
        a.names.blocks.push_back(std::move(n));
    }
    s.finalNorm = source.has(prefix + "final_layer_norm.weight") && before ? norm : NormSpec{NormKind::None};
    s.pool = Pool::None;
    s.task = Task::CausalLanguage;
    s.text.tiedHead = !hasOperator(source, "lm_head") || config.flag({"tie_word_embeddings"}, true);
    s.classes = s.text.vocabulary;
    a.names.tokenEmbedding = prefix + "embed_tokens.weight";
    a.names.positions = prefix + "embed_positions.weight";
    a.names.projectIn = s.text.embeddingWidth > 0 ? prefix + "project_in" : "";
    a.names.transform = s.text.embeddingWidth > 0 ? prefix + "project_out" : "";
    s.pooler = s.text.embeddingWidth > 0;
    a.names.finalNorm = prefix + "final_layer_norm";
    a.names.head = "lm_head";
    return a;
}

} // namespace tamis::nn
