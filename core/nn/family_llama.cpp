// SPDX-License-Identifier: GPL-3.0-or-later
// LLaMA, Mistral, Qwen2 and Qwen3: one architecture with options.
#include "core/base/error.h"
#include "core/io/json_limits.h"
#include "core/nn/architecture.h"

#include <algorithm>
#include <cmath>

namespace tamis::nn {

namespace {
RopeSpec readRope(const ConfigReader& config, std::int64_t headDim)
{
    RopeSpec rope;
    rope.enabled = true;
    rope.theta = config.number({"rope_parameters.rope_theta", "rope_theta"}, 10000.0);
    const double part = config.number({"rope_parameters.partial_rotary_factor", "partial_rotary_factor"}, 1.0);
    rope.dimensions = static_cast<std::int64_t>(static_cast<double>(headDim) * part) / 2 * 2;
    rope.maxPositions = config.integer({"max_position_embeddings"}, 2048);
    if (!(rope.theta > 1) || !(part > 0 && part <= 1) || rope.dimensions < 2)
        throw Error(ErrorCode::MalformedFile, "has rotary positions with theta " + std::to_string(rope.theta) + " over " + std::to_string(rope.dimensions) +
                                                  " of " + std::to_string(headDim) + " features, expected theta above 1 and at least 2 features", "config.json");
    const std::string type = config.text({"rope_parameters.rope_type", "rope_scaling.rope_type", "rope_scaling.type"});
    if (type.empty() || type == "default")
        return rope;
    rope.factor = config.number({"rope_parameters.factor", "rope_scaling.factor"}, 1.0);
    rope.originalPositions = config.integer({"rope_parameters.original_max_position_embeddings", "rope_scaling.original_max_position_embeddings"}, rope.maxPositions);
    rope.lowFrequencyFactor = config.number({"rope_parameters.low_freq_factor", "rope_scaling.low_freq_factor"}, 1.0);
    rope.highFrequencyFactor = config.number({"rope_parameters.high_freq_factor", "rope_scaling.high_freq_factor"}, 4.0);
    rope.betaFast = config.number({"rope_parameters.beta_fast", "rope_scaling.beta_fast"}, 32.0);
    rope.betaSlow = config.number({"rope_parameters.beta_slow", "rope_scaling.beta_slow"}, 1.0);
    rope.attentionFactor = config.number({"rope_parameters.attention_factor", "rope_scaling.attention_factor"}, 0.0);
    if (type == "linear")
        rope.scaling = RopeScaling::Linear;
    else if (type == "dynamic")
        rope.scaling = RopeScaling::Dynamic;
    else if (type == "llama3")
        rope.scaling = RopeScaling::Llama3;
    else if (type == "yarn" && !config.has("rope_scaling.mscale") && !config.has("rope_parameters.mscale") &&
             config.flag({"rope_parameters.truncate", "rope_scaling.truncate"}, true))
        rope.scaling = RopeScaling::Yarn;
    else
        throw Error(ErrorCode::UnsupportedFeature, "rope_scaling is of type " + io::quotedName(type) + ", expected linear, dynamic, llama3 or yarn without mscale and with truncate", "config.json");
    const bool sensible = rope.factor >= 1 && rope.originalPositions > 0 && rope.lowFrequencyFactor > 0 && rope.highFrequencyFactor > rope.lowFrequencyFactor &&
                          rope.betaFast > 0 && rope.betaSlow > 0;
    if (!sensible)
        throw Error(ErrorCode::MalformedFile, "rope_scaling has a factor below 1, no positions, or factors in the wrong order", "config.json");
    return rope;
}

io::Family familyOf(const ConfigReader& config, const TensorSource& source, const std::string& prefix)
{
    const std::string type = config.text({"model_type"});
    for (const auto& [name, family] : {std::pair{"llama", io::Family::Llama}, {"mistral", io::Family::Mistral}, {"qwen2", io::Family::Qwen2}, {"qwen3", io::Family::Qwen3}})
        if (type == name)
            return family;
    if (!type.empty())
        throw Error(ErrorCode::UnsupportedFeature, "model_type is " + io::quotedName(type) + ", expected llama, mistral, qwen2 or qwen3 with these tensor names", "config.json");
    if (source.has(prefix + "layers.0.self_attn.q_norm.weight"))
        return io::Family::Qwen3;
    return source.has(prefix + "layers.0.self_attn.q_proj.bias") ? io::Family::Qwen2 : io::Family::Llama;
}

/// Mistral: everywhere. Qwen: only when switched on, from block max_window_layers on; newer files list each layer's type.
std::int64_t slidingWindow(const ConfigReader& config, io::Family family, std::int64_t block)
{
    const std::int64_t window = config.integer({"sliding_window"}, 0); // absent or null: none
    const auto types = config.texts({"layer_types"});
    if (!types.empty())
        return static_cast<std::size_t>(block) < types.size() && types[static_cast<std::size_t>(block)] == "sliding_attention" ? window : 0;
    if (family == io::Family::Mistral)
        return window;
    if (family == io::Family::Llama || !config.flag({"use_sliding_window"}, false))
        return 0;
    return block >= config.integer({"max_window_layers"}, 28) ? window : 0;
}

BlockNames blockNames(const std::string& p)
{
    BlockNames n;
    n.attentionNorm = p + "input_layernorm";
    n.mlpNorm = p + "post_attention_layernorm";
    n.query = p + "self_attn.q_proj";
    n.key = p + "self_attn.k_proj";
    n.value = p + "self_attn.v_proj";
    n.output = p + "self_attn.o_proj";
    n.queryNorm = p + "self_attn.q_norm";
    n.keyNorm = p + "self_attn.k_norm";
    n.gate = p + "mlp.gate_proj";
    n.up = p + "mlp.up_proj";
    n.down = p + "mlp.down_proj";
    return n;
}

BlockSpec blockSpec(const ConfigReader& config, const TensorSource& source, const ModelSpec& s, const BlockNames& n, std::int64_t index)
{
    BlockSpec block;
    block.width = s.width;
    AttentionSpec& at = block.attention;
    at.heads = config.required({"num_attention_heads"});
    at.keyValueHeads = config.integer({"num_key_value_heads"}, at.heads);
    at.headDim = config.integer({"head_dim"}, s.width / at.heads);
    if (at.keyValueHeads < 1 || at.heads % at.keyValueHeads != 0 || at.headDim < 1 || at.headDim > 65536 || at.heads > 65536)
        throw Error(ErrorCode::MalformedFile, std::to_string(at.heads) + " heads do not share " + std::to_string(at.keyValueHeads) + " key-value heads evenly", "config.json");
    at.scale = 1.0f / std::sqrt(static_cast<float>(at.headDim));
    at.causal = true;
    at.slidingWindow = slidingWindow(config, s.family, index);
    at.qkvBias = source.has(n.query + ".bias");
    at.outputBias = source.has(n.output + ".bias");
    at.rope = readRope(config, at.headDim);
    block.norm = {NormKind::RmsNorm, static_cast<float>(config.number({"rms_norm_eps"}, 1e-6)), false};
    if (source.has(n.queryNorm + ".weight"))
        at.queryKeyNorm = block.norm;
    block.mlp.hidden = config.required({"intermediate_size"});
    block.mlp.gated = true;
    block.mlp.bias = source.has(n.up + ".bias");
    block.mlp.activation = config.activation({"hidden_act", "hidden_activation"}, kernels::Activation::Silu);
    return block;
}
} // namespace

std::optional<Architecture> readLlama(const ConfigReader& config, const TensorSource& source)
{
    std::string prefix = "model.";
    if (!source.has(prefix + "embed_tokens.weight")) {
        prefix.clear();
        if (!source.has("embed_tokens.weight"))
            return std::nullopt;
    }
    if (source.has(prefix + "layers.0.block_sparse_moe.gate.weight") || source.has(prefix + "layers.0.mlp.gate.weight"))
        throw Error(ErrorCode::UnsupportedFeature, "is a mixture of experts, which Tamis does not run", source.subject());
    if (!hasOperator(source, prefix + "layers.0.self_attn.q_proj") || !hasOperator(source, prefix + "layers.0.mlp.gate_proj"))
        return std::nullopt;
    Architecture a;
    ModelSpec& s = a.spec;
    s.family = familyOf(config, source, prefix);
    const auto architectures = config.texts({"architectures"});
    s.architecture = architectures.empty() ? config.text({"model_type"}) : architectures[0];
    s.width = config.required({"hidden_size"});
    s.text.vocabulary = config.required({"vocab_size"});
    s.text.maxPositions = config.integer({"max_position_embeddings"}, 2048);
    for (std::int64_t i = 0; i < config.depth({"num_hidden_layers"}); ++i) {
        BlockNames n = blockNames(prefix + "layers." + std::to_string(i) + ".");
        s.blocks.push_back(blockSpec(config, source, s, n, i));
        a.names.blocks.push_back(std::move(n));
    }
    s.finalNorm = s.blocks.front().norm;
    s.pool = Pool::None;
    s.task = Task::CausalLanguage;
    s.text.tiedHead = !hasOperator(source, "lm_head") || config.flag({"tie_word_embeddings"}, false);
    s.classes = s.text.vocabulary;
    a.names.tokenEmbedding = prefix + "embed_tokens.weight";
    a.names.finalNorm = prefix + "norm";
    a.names.head = "lm_head";
    return a;
}

} // namespace tamis::nn
